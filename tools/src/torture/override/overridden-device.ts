import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HubClient } from '@bowline/ipc';
import type { StoredEvent } from '@bowline/messages';
import { BowlineError, readFileIfPresent } from '@bowline/runtime';
import { WORKSPACE } from '../../test/run.ts';
import { instantsIn } from '../config/instants.ts';
import { DEVICE_ID, TortureFleet, until } from '../fleet.ts';
import { hubVisitor } from '../producer.ts';
import { inForce, wrongWith, type Change } from './judge.ts';
import { Relay } from './relay.ts';

/** Who is killed while everything stands at one instant. */
export const WHO = ['the command line', 'the gateway', 'both'] as const;
export type Who = (typeof WHO)[number];

/** Half of it is how long a new link must stand; a bad address is known as such at the end of it. */
const CONFIRM_WITHIN = { good: '2s', undisturbed: '20s', bad: '500ms' };
const MOST_EVENTS = 50;
/** Its own limit is the trial's and a minute and a half. */
const COMMAND_ENDS_WITHIN_MS = 300_000;

/** A change that somebody is about to make, and what was before it. */
interface Begun extends Change {
  fileBefore: string | undefined;
  eventsBefore: ReadonlySet<string>;
}

export interface Outcome {
  /** Whether the instant came. */
  killed: boolean;
  /** The new address is in force. */
  isKept: boolean;
  wrong: string[];
}

/** A gateway, its server, and a person at the device who moves its link from one way to the other; each may be killed at any instant. */
export class OverriddenDevice {
  readonly #fleet: TortureFleet;
  readonly #hub: HubClient;
  /** Two ways to the server, without an override the first; two to nowhere, the last one for the control. */
  readonly #relays: readonly Relay[];
  readonly #addresses: readonly string[];
  /** What device and command line read and write about instants (kill-points.ts). */
  readonly #file: string;
  readonly #hook: string;

  /** @param folder of the caller's, for the kill points. */
  static async start(folder: string): Promise<OverriddenDevice> {
    const relays = await Promise.all([1, 2, 3, 4].map(() => Relay.open()));
    const addresses = relays.map(({ port }) => `ws://127.0.0.1:${port}/v1/devices/${DEVICE_ID}/link`);
    const file = join(folder, 'stand-at');
    const hook = pathToFileURL(join(import.meta.dirname, '../config/kill-points.ts'));
    hook.search = String(new URLSearchParams({ file, hold: '1' }));
    const fleet = await TortureFleet.start({
      apps: ['fleet-server', 'ws-gateway'],
      programs: { 'ws-gateway': ['--import', hook.href, join(WORKSPACE, 'apps/ws-gateway/src/main.ts')] },
      gateway: (serverUrl) => {
        for (const relay of relays.slice(0, 2)) relay.target = Number(new URL(serverUrl).port);
        return { link: { url: addresses[0] } };
      },
    });
    return new OverriddenDevice(fleet, relays, addresses, file, hook.href);
  }

  private constructor(
    fleet: TortureFleet,
    relays: readonly Relay[],
    addresses: readonly string[],
    file: string,
    hook: string,
  ) {
    this.#fleet = fleet;
    this.#relays = relays;
    this.#addresses = addresses;
    this.#file = file;
    this.#hook = hook;
    this.#hub = hubVisitor(fleet.hubFolder);
    const { folder, hubFolder } = fleet;
    const installation = { runDir: folder, pm2Home: folder, configDir: folder, hubFolder };
    writeFileSync(join(folder, 'run.json'), JSON.stringify(installation));
  }

  get folder(): string {
    return this.#fleet.folder;
  }

  /** The instants of a change that nobody disturbs, in their order. */
  async instantsOf(isGood: boolean): Promise<string[]> {
    rmSync(`${this.#file}.seen`, { force: true });
    const change = await this.#begin(isGood);
    const command = this.#command(change, isGood ? CONFIRM_WITHIN.undisturbed : CONFIRM_WITHIN.bad);
    const { isKept, wrong } = await this.#judged(change, await exitCodeOf(command));
    if (isKept !== isGood) wrong.push(isGood ? 'a good address was not kept' : 'a bad one was kept');
    if (wrong.length > 0) throw new Error(`an undisturbed change went wrong: ${wrong.join('; ')}`);
    return instantsIn(readFileSync(`${this.#file}.seen`, 'utf8'));
  }

  /** Everything stands still at the instant, if it comes, and somebody is killed; then the rest goes on, and the gateway starts anew. */
  async killedAt(instant: string, who: Who, isGood: boolean): Promise<Outcome> {
    const change = await this.#begin(isGood);
    const { killed, exitCode } = await this.#kill(instant, who, change);
    const { isKept, wrong } = await this.#judged(change, exitCode);
    // It must be so on the disk, too.
    this.#fleet.kill('ws-gateway');
    const again = await this.#judged(change, exitCode);
    return { killed, isKept, wrong: [...wrong, ...again.wrong.map((each) => `after a restart, ${each}`)] };
  }

  /** Whether a gateway that lets an override count before it was tried is found out by what {@link killedAt} looks at. */
  async seesUnprepared(): Promise<boolean> {
    writeFileSync(`${this.#file}.unprepared`, '');
    // What was refused before would not count.
    const change = { ...(await this.#begin(false)), to: this.#addresses[3] ?? '' };
    const { killed, exitCode } = await this.#kill('1 cli after write override', 'both', change);
    let isCaught = false;
    await until(async () => {
      const wrong = await this.#disagreements(change, exitCode);
      isCaught = wrong.some((each) => each.startsWith('in force'));
      return isCaught || wrong.length === 0;
    }, 'the gateway to say what is in force');
    return killed && isCaught;
  }

  async close(keepFolder: boolean): Promise<void> {
    this.#hub.close();
    await this.#fleet.end({ keepFolder });
    for (const relay of this.#relays) relay.close();
  }

  /** A good one leads from one way to the other. */
  async #begin(isGood: boolean): Promise<Begun> {
    const from = await this.#inForce();
    const [first = '', second = '', nowhere = ''] = this.#addresses;
    const other = from === first ? second : first;
    return {
      from,
      to: isGood ? other : nowhere,
      isGood,
      fileBefore: this.#override(),
      eventsBefore: new Set((await this.#events()).map(({ id }) => id)),
    };
  }

  /** When the gateway answers. */
  async #inForce(): Promise<string> {
    let address: string | undefined;
    await until(async () => {
      const device = await this.#hub.request('config', {}).catch(unlessAway);
      address = device && inForce(device);
      return address !== undefined;
    }, 'the gateway to say what is in force');
    return String(address);
  }

  #command({ to }: Change, confirmWithin: string): ChildProcess {
    const change =
      to === this.#addresses[0]
        ? ['unset', 'ws-gateway', 'link.url']
        : ['set', 'ws-gateway', `link.url=${to}`];
    const main = join(WORKSPACE, 'apps/cli/src/main.ts');
    const args = ['--import', this.#hook, main, '--home', this.folder, 'config', ...change];
    return spawn(process.execPath, [...args, '--confirm-within', confirmWithin], { stdio: 'ignore' });
  }

  async #kill(
    instant: string,
    who: Who,
    change: Change,
  ): Promise<{ killed: boolean; exitCode: number | undefined }> {
    const held = `${this.#file}.held`;
    writeFileSync(this.#file, instant);
    const command = this.#command(change, change.isGood ? CONFIRM_WITHIN.good : CONFIRM_WITHIN.bad);
    await until(
      () => existsSync(held) || hasEnded(command),
      `${instant}, or the end`,
      COMMAND_ENDS_WITHIN_MS,
    );
    const killed = existsSync(held);
    if (killed && who !== 'the gateway') command.kill('SIGKILL');
    if (killed && who !== 'the command line') this.#fleet.kill('ws-gateway');
    for (const file of [this.#file, held]) rmSync(file, { force: true });
    return { killed, exitCode: await exitCodeOf(command) };
  }

  /** What is wrong when all is over and has had time to settle. */
  async #judged(change: Begun, exitCode: number | undefined): Promise<Pick<Outcome, 'isKept' | 'wrong'>> {
    let wrong: string[] = [];
    await until(async () => {
      wrong = await this.#disagreements(change, exitCode);
      return wrong.length === 0;
    }, 'all to agree').catch(() => undefined);
    return {
      isKept: wrong.length === 0 && (await this.#inForce()) === change.to,
      wrong,
    };
  }

  async #disagreements(change: Begun, exitCode: number | undefined): Promise<string[]> {
    try {
      const [device, { queue }] = [
        await this.#hub.request('config', {}),
        await this.#hub.request('status', {}),
      ];
      const events = await this.#events();
      return wrongWith(change, {
        device,
        exitCode,
        underneath: this.#addresses[0] ?? '',
        file: this.#override(),
        fileBefore: change.fileBefore,
        isOnline: await this.#fleet.isOnline(),
        ways: this.#addresses.filter((_, index) => this.#relays[index]?.isUsed),
        unsent: queue.lanes['events']?.messages ?? 0,
        events: events.filter(({ id, kind }) => kind === 'config-override' && !change.eventsBefore.has(id)),
      });
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      return [`the gateway does not answer: ${error.message}`];
    }
  }

  #events(): Promise<StoredEvent[]> {
    return this.#fleet.api.events(DEVICE_ID, MOST_EVENTS);
  }

  #override(): string | undefined {
    return readFileIfPresent(join(this.folder, 'ws-gateway.local.json'));
  }
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof BowlineError)) throw error;
  return undefined;
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

/** When it has ended; undefined: it was killed. */
async function exitCodeOf(command: ChildProcess): Promise<number | undefined> {
  await until(() => hasEnded(command), 'the command line to end', COMMAND_ENDS_WITHIN_MS);
  return command.exitCode ?? undefined;
}
