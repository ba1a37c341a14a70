import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type Pm2, type Pm2Process } from '@bowline/pm2';
import { turns } from '../core/turns.ts';
import type { PlannedRelease, Previous } from '../core/update-state.ts';
import { tailOf } from './last-lines.ts';
import { namedApps } from './named-apps.ts';
import { ECOSYSTEM, startFile } from './start-file.ts';
import type { ProcessView, ReleaseKind } from './release-kind.ts';
import { ReleaseTrees } from './release-trees.ts';
import { endStrays } from './strays.ts';

const isUp = ({ status, pid }: Pm2Process) => status === 'online' && isAlive(pid);
const restartsOf = (entries: readonly Pm2Process[]) =>
  entries.reduce((sum, { restarts }) => sum + restarts, 0);

export interface AppKindOptions {
  releasesDir: string;
  pm2: Pick<Pm2, 'list' | 'restart' | 'start' | 'remove' | 'isRunning'>;
  /** Names that are ours. */
  reserved: readonly string[];
  checkpoint?: (where: string) => void;
}

/**
 * A program of the user: its trees lie in `releases/NAME`, `current` leads to the one in use, and pm2 runs it under its name.
 * A release without a process (only files) is judged by its probe alone.
 */
export class AppKind implements ReleaseKind {
  readonly repeatsSwitch = true;
  readonly #options: AppKindOptions;
  /** Whoever starts a program that pm2 has lost, and an update of it, must not both do it. */
  readonly #inTurn = turns();
  /** pm2's count of restarts when the trial began. */
  readonly #restartsBefore = new Map<string, number>();

  constructor(options: AppKindOptions) {
    this.#options = options;
  }

  refuse({ name }: PlannedRelease): { code: string; message: string } | undefined {
    if (!this.#options.reserved.includes(name)) return undefined;
    return { code: 'reserved-name', message: `${name} is the name of a process of Bowline itself` };
  }

  /** pm2 would start nothing, and say nothing. */
  async refuseTree(plan: PlannedRelease, signal: AbortSignal) {
    const tree = this.treeOf(plan);
    if (!existsSync(join(tree, ECOSYSTEM))) return undefined;
    const names = await namedApps(realpathSync(tree), signal);
    if (names === undefined || names.includes(plan.name)) return undefined;
    const found = names.length === 0 ? 'no app' : names.slice(0, 5).join(', ');
    const message = `its ${ECOSYSTEM} names ${found}, and no app ${plan.name}: an app of it must have the name of the release`;
    return { code: 'program-misnamed', message };
  }

  /** Else it would be lost with a roll back. */
  async refuseLaidOut(plan: PlannedRelease): Promise<{ code: string; message: string } | undefined> {
    const { name } = plan;
    if (!existsSync(join(this.treeOf(plan), ECOSYSTEM))) return undefined;
    const foreign = (await this.#entries(name)).find((entry) => !this.#isReleased(entry));
    if (foreign === undefined) return undefined;
    const message = `pm2 runs a program named ${name} that is of no release (in ${foreign.cwd}): remove it (pm2 delete ${name}), or give the release another name`;
    return { code: 'name-taken', message };
  }

  treeOf({ name, digest }: PlannedRelease): string {
    return this.#trees(name).treeOf(digest);
  }

  current(name: string): string | undefined {
    return this.#trees(name).current();
  }

  switchTo({ name, digest }: PlannedRelease): Promise<void> {
    return this.#inTurn(async () => {
      this.#trees(name).pointTo(digest);
      this.#options.checkpoint?.('link set');
      await this.#startAnew(name);
      this.#options.checkpoint?.('restarted');
    });
  }

  resumeTrial({ name }: PlannedRelease): Promise<void> {
    return this.#inTurn(async () => {
      const entries = await this.#entries(name);
      // The device was started anew: pm2 has only what somebody starts.
      if (entries.length === 0) await this.#startAnew(name);
      else this.#restartsBefore.set(name, restartsOf(entries));
    });
  }

  processes({ name }: PlannedRelease): readonly string[] {
    return [name];
  }

  async observe({ name }: PlannedRelease): Promise<ProcessView | undefined> {
    const entries = await this.#entries(name);
    if (entries.length === 0)
      return existsSync(this.#ecosystem(name)) ? { up: false, restarts: 0 } : undefined;
    const restarts = restartsOf(entries);
    return {
      up: entries.every(isUp),
      restarts: Math.max(0, restarts - (this.#restartsBefore.get(name) ?? restarts)),
    };
  }

  async commit(): Promise<void> {}

  rollBack({ name }: PlannedRelease, { digest }: Previous): Promise<void> {
    return this.#inTurn(async () => {
      const trees = this.#trees(name);
      if (digest === undefined) trees.pointToNothing();
      else trees.pointTo(digest);
      this.#options.checkpoint?.('link set back');
      await this.#startAnew(name);
    });
  }

  async lastLines({ name }: PlannedRelease): Promise<string[]> {
    const files = (await this.#entries(name)).flatMap(({ errorFile, outFile }) => [errorFile, outFile]);
    return tailOf([...new Set(files)]);
  }

  async tidy({ name, digest }: PlannedRelease): Promise<void> {
    const trees = this.#trees(name);
    const current = trees.current();
    // The one before stays for its files, which the next release need not fetch again; one that failed does not.
    const before = trees.trees().find((tree) => tree !== current && tree !== digest);
    // Not at the switch alone: what pm2 loses it may start a moment later.
    if (await this.#options.pm2.isRunning()) await this.#endStrays(name);
    trees.prune([current, before]);
  }

  /** Starts what pm2 has lost with a reboot of the device. */
  ensureRunning(name: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.current(name) === undefined || !existsSync(this.#ecosystem(name))) return;
      if ((await this.#entries(name)).length === 0) await this.#start(name);
    });
  }

  startAgain({ name }: PlannedRelease): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!existsSync(this.#ecosystem(name))) return false;
      const entries = await this.#entries(name);
      if (entries.length > 0 && entries.every(isUp)) return false;
      await this.#startAnew(name);
      return true;
    });
  }

  async #startAnew(name: string): Promise<void> {
    const { pm2 } = this.#options;
    const entries = await this.#entries(name);
    const hasOwn = existsSync(this.#ecosystem(name));
    // By a restart pm2 would keep the settings, or even the program, of the release before.
    if (hasOwn || entries.some((entry) => this.#isReleased(entry))) await pm2.remove(name);
    else if (entries.length > 0) await pm2.restart(name, { monitored: false });
    await this.#endStrays(name);
    // What pm2 did not know it counts from 0, and it may have crashed before we look.
    this.#restartsBefore.set(name, 0);
    if (hasOwn) return this.#start(name);
    this.#restartsBefore.set(name, restartsOf(await this.#entries(name)));
  }

  async #endStrays(name: string): Promise<void> {
    const trees = this.#trees(name);
    if (!existsSync(trees.folder)) return;
    const folder = realpathSync(trees.folder);
    const current = trees.current();
    const known = (await this.#options.pm2.list()).map(({ pid }) => pid);
    endStrays(folder, current === undefined ? undefined : join(folder, current), new Set(known));
  }

  #start(name: string): Promise<void> {
    return this.#options.pm2.start(startFile(this.#trees(name).folder), [name]);
  }

  /** It is the program of a release, not one that somebody has given to pm2 himself. */
  #isReleased({ name, release, cwd }: Pm2Process): boolean {
    return release !== '' || this.#trees(name).holds(cwd);
  }

  async #entries(name: string): Promise<Pm2Process[]> {
    return (await this.#options.pm2.list()).filter((entry) => entry.name === name);
  }

  #ecosystem(name: string): string {
    return join(this.#trees(name).folder, 'current', ECOSYSTEM);
  }

  #trees(name: string): ReleaseTrees {
    return new ReleaseTrees(this.#options.releasesDir, name);
  }
}
