import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { runProgram } from '../adapters/run-program.ts';
import type { PlannedRelease } from '../core/update-state.ts';
import { boundedLines } from './last-lines.ts';
import { endLeftovers, MODULE_TREE } from './leftover-modules.ts';
import { offerStreams } from './payload-streams.ts';
import type { Reboots, ReleaseKind } from './release-kind.ts';

export interface ModuleKindOptions {
  /** Where the trees of payloads are laid out while they are installed. */
  releasesDir: string;
  /** Of the update modules, a program each, named by its type. */
  modulesDir: string;
  timeoutMs: number;
  /** Reboots the device, word by word. */
  reboot: readonly string[];
  /** Digest that was committed last under a name. */
  installed(name: string): string | undefined;
  clock: Clock;
  checkpoint?: (where: string) => void;
}

const PREFIX = 'module:';

/**
 * Releases that a program of somebody else installs: Mender's update modules, interface version 3, unchanged. The release's
 * tree is the module's folder: `files/` holds the payload, `header/meta-data` and `header/type-info` may be there; the rest is
 * written here. The program is called as `MODULE STATE FOLDER`, in that folder. States go in the order of Mender's client:
 * Download, SupportsRollback, ArtifactInstall, NeedsArtifactReboot, where that is needed ArtifactReboot and after the boot
 * ArtifactVerifyReboot, ArtifactCommit, Cleanup; on a failure SupportsRollback, ArtifactRollback, after a reboot also
 * ArtifactRollbackReboot and ArtifactVerifyRollbackReboot, ArtifactFailure, Cleanup. To `Automatic` we reboot the device
 * ourselves, in place of both states that reboot.
 *
 * Payloads are laid out and checked before `Download`; a module that wants them through `stream-next` gets them there, too.
 */
export class ModuleKind implements ReleaseKind {
  /** Mender's rule, too: an installation that was cut off is rolled back, since ArtifactInstall may not be repeatable. */
  readonly repeatsSwitch = false;
  readonly #options: ModuleKindOptions;
  #said: string[] = [];
  /** Trees for which no other life of this process has left a module behind. */
  readonly #mine = new Set<string>();

  constructor(options: ModuleKindOptions) {
    this.#options = options;
  }

  refuse(plan: PlannedRelease): { code: string; message: string } | undefined {
    const program = this.#program(plan);
    if (!existsSync(program))
      return { code: 'unknown-kind', message: `there is no update module ${program}` };
    const { uid, mode } = statSync(program);
    if ((uid === 0 || uid === process.getuid?.()) && (mode & 0o022) === 0 && (mode & 0o100) !== 0)
      return undefined;
    return { code: 'module-unsafe', message: `${program} must be a program that nobody else may change` };
  }

  treeOf({ name, digest }: PlannedRelease): string {
    return join(this.#options.releasesDir, '.modules', `${name}-${digest}`);
  }

  current(name: string): string | undefined {
    return this.#options.installed(name);
  }

  async switchTo(plan: PlannedRelease, signal: AbortSignal): Promise<void> {
    this.#said = [];
    this.#describe(plan);
    await this.#download(plan, signal);
    await this.#ask(plan, 'SupportsRollback', signal);
    this.#options.checkpoint?.('before ArtifactInstall');
    await this.#must(plan, 'ArtifactInstall', signal);
    this.#options.checkpoint?.('after ArtifactInstall');
  }

  readonly reboots: Reboots = {
    wanted: async (plan) => {
      const answer = await this.#ask(plan, 'NeedsArtifactReboot');
      if (answer === 'No' || answer === '') return undefined;
      if (answer === 'Yes') return 'itself';
      if (answer === 'Automatic') return 'by-us';
      throw new RejectedError('module-failed', `NeedsArtifactReboot: "${answer}" is no answer`);
    },
    reboot: (plan, who) => (who === 'itself' ? this.#must(plan, 'ArtifactReboot') : this.#reboot(plan)),
    verify: (plan) => this.#must(plan, 'ArtifactVerifyReboot'),
    rebootBack: (plan, who) =>
      who === 'itself' ? this.#must(plan, 'ArtifactRollbackReboot') : this.#reboot(plan),
    verifyBack: (plan) => this.#must(plan, 'ArtifactVerifyRollbackReboot'),
  };

  async resumeTrial(): Promise<void> {}

  async observe(): Promise<undefined> {
    return undefined;
  }

  commit(plan: PlannedRelease): Promise<void> {
    return this.#must(plan, 'ArtifactCommit');
  }

  async rollBack(plan: PlannedRelease): Promise<void> {
    const supported = await this.#ask(plan, 'SupportsRollback');
    let why: string | undefined;
    if (supported === 'Yes') why = await this.#state(plan, 'ArtifactRollback');
    else why = 'the module cannot roll back';
    if (why !== undefined) throw new RejectedError('module-rollback-failed', why);
  }

  async afterRollBack(plan: PlannedRelease): Promise<void> {
    await this.#state(plan, 'ArtifactFailure');
  }

  async lastLines(): Promise<string[]> {
    return boundedLines(this.#said);
  }

  async tidy(plan: PlannedRelease): Promise<void> {
    const tree = this.treeOf(plan);
    if (!existsSync(tree)) return;
    if (existsSync(join(tree, 'version'))) await this.#state(plan, 'Cleanup');
    this.#mine.delete(tree);
    rmSync(tree, { recursive: true, force: true });
    rmSync(`${tree}.json`, { force: true });
  }

  async #download(plan: PlannedRelease, signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const serve = await offerStreams(this.treeOf(plan));
    const [download, streams] = await Promise.allSettled([
      this.#must(plan, 'Download', signal).finally(() => ended.abort()),
      serve(ended.signal),
    ]);
    for (const each of [download, streams]) if (each.status === 'rejected') throw each.reason;
    if (streams.status === 'fulfilled' && streams.value === 'some')
      throw new RejectedError('module-failed', 'Download: it ended before it had read its streams');
  }

  /** What a module may read about the release and the device, beside its payload. */
  #describe(plan: PlannedRelease): void {
    const { name, version } = plan;
    const type = this.#type(plan);
    const artifact = `${name}-${version}`;
    const header = {
      payloads: [{ type }],
      artifact_provides: { artifact_name: artifact },
      artifact_depends: {},
    };
    const facts: Record<string, string> = {
      version: '3',
      current_artifact_name: `${name}-${this.#options.installed(name) ?? 'unknown'}`,
      current_artifact_group: '',
      current_device_type: 'bowline',
      'header/artifact_group': '',
      'header/artifact_name': artifact,
      'header/payload_type': type,
      'header/header-info': JSON.stringify(header),
    };
    const absent: Record<string, string> = {
      'header/type-info': JSON.stringify({ type }),
      'header/meta-data': '{}',
    };
    const tree = this.treeOf(plan);
    for (const folder of ['files', 'tmp']) mkdirSync(join(tree, folder), { recursive: true, mode: 0o755 });
    for (const [path, text] of Object.entries({ ...absent, ...facts })) {
      const file = join(tree, path);
      if (path in absent && existsSync(file)) continue;
      mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
      writeFileSync(file, text, { mode: 0o644 });
    }
  }

  async #must(plan: PlannedRelease, state: string, signal?: AbortSignal): Promise<void> {
    const why = await this.#state(plan, state, signal);
    if (why !== undefined) throw new RejectedError('module-failed', `${state}: ${why}`);
  }

  /** @returns the first line that it prints; a state that it does not know prints none. */
  async #ask(plan: PlannedRelease, state: string, signal?: AbortSignal): Promise<string> {
    const { stdout } = await this.#run(plan, state, signal);
    return stdout.split('\n')[0]?.trim() ?? '';
  }

  /** @returns why it failed. */
  async #state(plan: PlannedRelease, state: string, signal?: AbortSignal): Promise<string | undefined> {
    const { code, said, why } = await this.#run(plan, state, signal);
    this.#said.push(...said.split('\n'));
    return code === 0 ? undefined : (why ?? `ended with ${code}`);
  }

  async #reboot(plan: PlannedRelease): Promise<void> {
    const [program = '', ...args] = this.#options.reboot;
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    const { code, said, why } = await runProgram(program, args, { cwd: this.treeOf(plan), signal });
    if (code !== 0)
      throw new RejectedError('module-failed', `${program} ${why ?? `ended with ${code}`}: ${said.trim()}`);
  }

  async #run(plan: PlannedRelease, state: string, signal?: AbortSignal) {
    const tree = this.treeOf(plan);
    const late = AbortSignal.timeout(this.#options.timeoutMs);
    const until = signal === undefined ? late : AbortSignal.any([late, signal]);
    if (!this.#mine.has(tree)) await endLeftovers(tree, this.#options.clock, until);
    this.#mine.add(tree);
    const env = { [MODULE_TREE]: tree };
    return runProgram(this.#program(plan), [state, tree], { cwd: tree, signal: until, env });
  }

  #program(plan: PlannedRelease): string {
    return join(this.#options.modulesDir, this.#type(plan));
  }

  #type({ kind }: PlannedRelease): string {
    return kind.slice(PREFIX.length);
  }
}
