import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { HubClient } from '@bowline/ipc';
import { CONFIGURED_APPS } from '@bowline/messages/hub/apps';
import { BowlineError, readFileIfPresent, readJsonIfPresent } from '@bowline/runtime';
import { isTerminal } from '@bowline/messages';
import { WORKSPACE } from '../../test/run.ts';
import { DEVICE_ID, TortureFleet, until } from '../fleet.ts';
import { hubVisitor } from '../producer.ts';
import { WHOLE_FLEET } from '../victims.ts';
import { instantsIn } from './instants.ts';
import { disagreements, type Expectation, type Sections } from './judge.ts';

/** A document under way that is to go through, or not. */
export interface Change {
  sections: Sections;
  end: Expectation['end'];
  confirmWithinMs?: number;
  /** The disk of this app has no room for it. */
  fullDiskOf?: string;
}

interface Pushed {
  orderId: string;
  expected: Expectation;
}

/** How long behind the end of the order an app may still be killed. */
const LATE_MS = 10_000;

/** A real server and a whole device, whose apps can be killed at any instant of a change of their configuration. */
export class ConfiguredFleet {
  readonly #fleet: TortureFleet;
  readonly #hub: HubClient;
  /** What the apps read and write about these instants (kill-points.ts). */
  readonly #file: string;
  #inForce: Expectation['inForce'] = { version: 0, sections: {} };

  /** @param folder of the caller's, for the apps' kill points. */
  static async start(folder: string): Promise<ConfiguredFleet> {
    const file = join(folder, 'die-at');
    const hook = pathToFileURL(join(import.meta.dirname, 'kill-points.ts'));
    hook.searchParams.set('file', file);
    const source = (app: string) => ['--import', hook.href, join(WORKSPACE, 'apps', app, 'src/main.ts')];
    const programs = Object.fromEntries(CONFIGURED_APPS.map((app) => [app, source(app)]));
    const fleet = await TortureFleet.start({
      apps: WHOLE_FLEET,
      programs,
      // By which the server hears of a hash that changed after the report.
      server: { link: { heartbeatSeconds: 5 } },
    });
    return new ConfiguredFleet(fleet, file);
  }

  private constructor(fleet: TortureFleet, file: string) {
    this.#fleet = fleet;
    this.#file = file;
    this.#hub = hubVisitor(fleet.hubFolder);
  }

  get folder(): string {
    return this.#fleet.folder;
  }

  /** The instants of a change that nobody disturbs, in their order; the second time that one comes it is `2 NAME`. */
  async pointsOf(change: Change): Promise<string[]> {
    rmSync(`${this.#file}.seen`, { force: true });
    const wrong = await this.#carryOut(change, () => true);
    if (wrong.length > 0) throw new Error(`an undisturbed change went wrong: ${wrong.join('; ')}`);
    return instantsIn(readFileSync(`${this.#file}.seen`, 'utf8'));
  }

  /**
   * Carries out a change during which an app is killed at this instant, if it comes: some do not when things happen in another
   * order.
   *
   * @returns whether one was killed, and what was wrong when all was over.
   */
  async killedAt(point: string, change: Change): Promise<{ killed: boolean; wrong: string[] }> {
    writeFileSync(this.#file, point);
    const wasKilled = () => readFileIfPresent(this.#file) === undefined;
    const wrong = await this.#carryOut(change, wasKilled);
    const killed = wasKilled();
    rmSync(this.#file, { force: true });
    return { killed, wrong };
  }

  /** Carries out a change, then puts another section into an app's own file behind everybody's back. @returns whether that is found. */
  async seesForgery(change: Change): Promise<boolean> {
    const file = join(this.folder, 'device/command-executor/cloud-config.json');
    const pushed = await this.#push(change);
    if ((await this.#judged(pushed, () => true)).length > 0) return false;
    writeFileSync(file, '{"version":1,"section":{"maxWaiting":7}}');
    return (await this.#disagreements(pushed)).some((wrong) => wrong.startsWith('command-executor on disk'));
  }

  async end(keepFolder: boolean): Promise<void> {
    this.#hub.close();
    await this.#fleet.end({ keepFolder });
  }

  async #carryOut(change: Change, isOver: () => boolean): Promise<string[]> {
    return this.#judged(await this.#push(change), isOver);
  }

  async #push({ sections, end, confirmWithinMs, fullDiskOf = '' }: Change): Promise<Pushed> {
    writeFileSync(`${this.#file}.full`, fullDiskOf);
    const { orderId, payload } = await this.#fleet.api.pushConfig(DEVICE_ID, {
      sections,
      ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }),
    });
    const version = Number(payload['version']);
    if (end === 'applied') this.#inForce = { version, sections };
    return { orderId, expected: { version, end, inForce: this.#inForce } };
  }

  /** What is wrong when all is over and has had time to settle. */
  async #judged(pushed: Pushed, isOver: () => boolean): Promise<string[]> {
    const { api } = this.#fleet;
    let wrong = ['its order did not end'];
    try {
      await until(async () => isTerminal((await api.order(pushed.orderId)).status), 'the end of the order');
      // It may be behind that end.
      await until(isOver, 'the kill', LATE_MS).catch(() => undefined);
      await until(async () => {
        wrong = await this.#disagreements(pushed);
        return wrong.length === 0;
      }, 'all to agree');
    } catch {
      // What is wrong says more.
    }
    return wrong;
  }

  async #disagreements({ orderId, expected }: Pushed): Promise<string[]> {
    const { api, folder } = this.#fleet;
    try {
      const device = await this.#hub.request('config', {});
      const disk = Object.fromEntries(
        CONFIGURED_APPS.map((app) => {
          const held = readJsonIfPresent(join(folder, 'device', app, 'cloud-config.json'));
          return [app, (held as { section?: unknown } | undefined)?.section];
        }),
      );
      const { config: server = {} } = await api.device(DEVICE_ID);
      return disagreements(expected, { device, disk, server, order: await api.order(orderId) });
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      return [`the gateway does not answer: ${error.message}`];
    }
  }
}
