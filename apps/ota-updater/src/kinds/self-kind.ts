import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isAlive, type Pm2, type Pm2Process } from '@bowline/pm2';
import { wait, type Clock } from '@bowline/runtime';
import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { runProgram } from '../adapters/run-program.ts';
import { unreadableFormat } from '../core/data-formats.ts';
import type { Failure, PlannedRelease, Previous } from '../core/update-state.ts';
import { readDataFormats } from './data-formats-file.ts';
import { boundedLines, tailOf } from './last-lines.ts';
import { adoptLauncher } from './launcher.ts';
import { LauncherFiles, SELF, slotOf } from './launcher-files.ts';
import type { ProcessView, ReleaseKind } from './release-kind.ts';
import { ReleaseTrees } from './release-trees.ts';

export interface SelfKindOptions {
  releasesDir: string;
  /** Main file of this process: where it lies says from which slot Bowline was started. */
  program: string;
  /** The launcher in use, outside the slots. */
  launcher: string;
  /** Where the code that came with the image lies. */
  factory: string;
  /** The updater's own. */
  stateDir: string;
  pm2: Pick<Pm2, 'list' | 'daemonPid'>;
  /** Names in pm2 that must all be well. */
  apps: readonly string[];
  /** Of those, the ones that have registered with the new gateway; none while it cannot be asked. */
  registered(): Promise<readonly string[]>;
  /** Asks the gateway to let no document of the cloud begin for so long; 0: it may. @returns whether one has begun. */
  holdConfig(forMs: number): Promise<boolean>;
  clock: Clock;
  checkpoint?: (where: string) => void;
}

/** So long what runs may take to end when it was told to: longer than pm2 and the launcher give it. */
const END_MS = 120_000;
/** The launcher takes a trial that does not go on for one that hangs. */
const PROBE_MAX_MS = 60_000;
/**
 * So long configurations wait after the last look at a trial: longer than all of Bowline takes to end and to start, since who
 * looks next is another process.
 */
const HOLD_CONFIG_MS = 300_000;
const REACHES_SERVER = join('apps', 'ota-updater', 'dist', 'reaches-server.js');

/**
 * Bowline itself. A switch restarts all of it, this process included: the switch is asked for here, done by the launcher, and
 * taken up by the updater of the slot that runs then, which tells what became of it by where its own code lies.
 */
export class SelfKind implements ReleaseKind {
  readonly repeatsSwitch = true;
  readonly #options: SelfKindOptions;
  readonly #trees: ReleaseTrees;
  readonly #files: LauncherFiles;
  /** Digest of the release whose code this process is; undefined: what came with the image. */
  readonly running: string | undefined;

  constructor(options: SelfKindOptions) {
    this.#options = options;
    this.#trees = new ReleaseTrees(options.releasesDir, SELF);
    this.#files = new LauncherFiles(this.#trees.folder);
    this.running = slotOf(options.program, this.#trees.folder);
  }

  refuse({ name, probe }: PlannedRelease): { code: string; message: string } | undefined {
    if (name !== SELF) return { code: 'reserved-name', message: `a release of kind self is named ${SELF}` };
    if ((probe?.timeoutMs ?? 0) > PROBE_MAX_MS)
      return {
        code: 'probe-too-slow',
        message: `the launcher waits no longer than ${PROBE_MAX_MS} ms for a probe`,
      };
    const { launcher } = this.#options;
    if (existsSync(launcher)) return undefined;
    return { code: 'unknown-kind', message: `Bowline was not installed with its launcher (${launcher})` };
  }

  treeOf({ digest }: PlannedRelease): string {
    return this.#trees.treeOf(digest);
  }

  current(): string | undefined {
    return this.running;
  }

  failedOutside({ digest }: PlannedRelease): Failure | undefined {
    const back = this.#files.givenBack();
    if (back === undefined || back.digest !== digest || this.running === digest) return undefined;
    return { code: back.code, message: back.message, deny: true };
  }

  /** An app that is restarted for its configuration would pass for one that has crashed. */
  async whyNotNow(): Promise<string | undefined> {
    const underWay = await this.#options.holdConfig(HOLD_CONFIG_MS);
    return underWay ? 'a configuration is on its way to the apps' : undefined;
  }

  async switchTo({ digest }: PlannedRelease, signal: AbortSignal): Promise<void> {
    if (this.running === digest) return;
    const tree = this.#trees.treeOf(digest);
    const newer = unreadableFormat(readDataFormats(tree), readDataFormats(this.#root));
    if (newer !== undefined) throw new RejectedError('data-format-newer', newer);
    this.#files.beginTrial(digest, this.running);
    this.#options.checkpoint?.('trial asked for');
    await this.#endEverything(signal);
  }

  async resumeTrial(): Promise<void> {}

  processes(): readonly string[] {
    return this.#options.apps;
  }

  async observe({ digest }: PlannedRelease): Promise<ProcessView> {
    const onTrial = this.#files.onTrial() === digest;
    if (onTrial && this.running === digest) this.#files.alive();
    await this.#options.holdConfig(HOLD_CONFIG_MS);
    // The launcher starts what is on trial; who is not, was ended.
    if (onTrial && this.running !== digest) return { up: false, restarts: 0 };
    const entries = await this.#entries();
    const registered = await this.#options.registered();
    const isUp = (app: string) =>
      entries.some(({ name, status, pid }) => name === app && status === 'online' && isAlive(pid)) &&
      registered.includes(app);
    return {
      up: this.#options.apps.every(isUp),
      // All of them were started by the launcher: what pm2 counts, it counts since then.
      restarts: entries.reduce((sum, { restarts }) => sum + restarts, 0),
    };
  }

  async commit({ digest }: PlannedRelease): Promise<void> {
    if (this.running !== digest)
      throw new RejectedError('not-running', 'the launcher has started another slot');
    this.#files.endTrial();
    this.#options.checkpoint?.('trial ended');
  }

  async rollBack(
    { digest }: PlannedRelease,
    previous: Previous,
    failure: Failure,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.running === digest) {
      this.#files.askBack({ digest, ...failure });
      this.#options.checkpoint?.('way back asked for');
      await this.#endEverything(signal);
    }
    // Asked for, and never begun.
    if (this.#files.onTrial() === digest) this.#files.endTrial();
    if (this.running !== previous.digest)
      throw new RejectedError('slot-lost', 'the slot before could not be started: the factory’s code runs');
  }

  async lastLines({ digest }: PlannedRelease): Promise<string[]> {
    const back = this.#files.givenBack();
    const entries = await this.#entries();
    const said = tailOf(entries.map(({ errorFile }) => errorFile));
    return boundedLines([...said, ...(back?.digest === digest ? back.log : [])]);
  }

  async tidy({ digest }: PlannedRelease): Promise<void> {
    await this.settle();
    const before = this.#trees.trees().find((tree) => tree !== this.running && tree !== digest);
    this.#trees.prune([this.running, before]);
  }

  /** Where nothing is on trial: the launcher of the code that runs is the launcher in use, and old news is forgotten. */
  async settle(): Promise<void> {
    if (this.#files.onTrial() !== undefined) return;
    this.#files.forget();
    await this.#options.holdConfig(0);
    await adoptLauncher(join(this.#root, 'deploy', 'launcher', 'launch'), this.#options.launcher);
  }

  /** By the code of the slot before: what is on trial has no say in whether it has lost the server. */
  async outsideReaches({ digest, server }: Previous, signal: AbortSignal): Promise<boolean> {
    const root = digest === undefined ? this.#options.factory : this.#trees.treeOf(digest);
    const program = join(root, REACHES_SERVER);
    if (server === undefined || !existsSync(program)) return false;
    const own = join(root, 'runtime');
    const runtime = existsSync(own) ? own : join(this.#options.factory, 'runtime');
    return (
      (await runProgram(runtime, [program, server, this.#options.stateDir], { cwd: '/', signal })).code === 0
    );
  }

  /** Of the code that runs. */
  get #root(): string {
    if (this.running !== undefined) return this.#trees.treeOf(this.running);
    return resolve(dirname(this.#options.program), '..', '..', '..');
  }

  /** pm2 ends this process, too; returns never where it goes well. @throws when it did not, or the app ends. */
  async #endEverything(signal: AbortSignal): Promise<void> {
    const pid = this.#options.pm2.daemonPid();
    if (pid === undefined || !isAlive(pid)) throw new TransientError('pm2-away', 'pm2 does not run');
    process.kill(pid, 'SIGTERM');
    await wait(this.#options.clock, END_MS, signal);
    signal.throwIfAborted();
    throw new TransientError('restart-refused', 'pm2 was told to end, and did not');
  }

  async #entries(): Promise<Pm2Process[]> {
    const { pm2, apps } = this.#options;
    return (await pm2.list()).filter(({ name }) => apps.includes(name));
  }
}
