/**
 * Long campaigns: `npm run torture -- NAME`, see docs/proof.md. Prints the seed, which replays the campaign's choices, and
 * a table; exits 1 if anything was lost, doubled or out of order, a decoder gave way, or a control was not caught.
 *
 * Nothing that is generated is imported before it is built: this runs in a checkout that has seen `npm ci` and no more.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { seededRandom } from '@bowline/testing/seeded-random';
import { buildApps } from '../test/build-apps.ts';
import type { CampaignOptions, CampaignResult } from './campaign.ts';
import type { ConfigResult } from './config.ts';
import type { FuzzResult } from './fuzz.ts';
import type { HistoryResult } from './history.ts';
import type { OtaResult } from './ota.ts';
import { offlineFaults } from './offline-faults.ts';
import type { OfflineResult } from './offline.ts';
import type { OrdersResult } from './orders.ts';
import type { OverrideResult } from './override.ts';
import type { SshResult } from './ssh.ts';
import { DECODING_APPS, SSH_APPS, VICTIMS } from './victims.ts';

type Found =
  | CampaignResult
  | ConfigResult
  | FuzzResult
  | HistoryResult
  | OrdersResult
  | OfflineResult
  | OverrideResult
  | SshResult
  | OtaResult;
type Campaign = (options: CampaignOptions, say: (line: string) => void) => Promise<Found>;

const CAMPAIGNS: Record<string, () => Promise<Campaign>> = {
  config: async () => (await import('./config.ts')).configKills,
  crash: async () => (await import('./crash.ts')).crash,
  powercut: async () => (await import('./powercut.ts')).powercut,
  fuzz: async () => (await import('./fuzz.ts')).fuzz,
  history: async () => (await import('./history.ts')).history,
  ota: async () => (await import('./ota.ts')).ota,
  offline: async () => (await import('./offline.ts')).offline,
  orders: async () => (await import('./orders.ts')).countedOrders,
  override: async () => (await import('./override.ts')).overrideKills,
  ssh: async () => (await import('./ssh.ts')).sshSessions,
};

/** What is built before it; the others need {@link VICTIMS}. */
const APPS_OF: Record<string, readonly string[]> = {
  fuzz: DECODING_APPS,
  history: [],
  ssh: SSH_APPS,
  config: SSH_APPS,
  override: ['ws-gateway', 'fleet-server', 'cli'],
};

const USAGE = `npm run torture -- NAME [--kills N | --inputs N] [--orders N | --seconds N | --sessions N] [--seed S] [--json FILE] [--no-build]

  NAME         ${Object.keys(CAMPAIGNS).join(', ')}
  --kills N    how often something is killed (default 1000; ota, config and override take every point once)
  --inputs N   of fuzz: how many are tried (default 1000000)
  --orders N   of orders: how many are given (default 1000)
  --seconds N  of offline: how long the device has no cloud, in its own time (default 604800, a week)
  --sessions N of ssh: how many are opened in a row (default 100; below 100 less is copied, too)
  --seed S     repeats a run's choices
  --json FILE  writes the result there as well
  --no-build   torments what is built`;

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  if ('wrong' in asked) {
    console.error(`${asked.wrong}\n\n${USAGE}`);
    return 2;
  }
  const { name, load, kills, inputs, orders, seconds, sessions, seed, json, build } = asked;
  if (build && !(await buildApps(APPS_OF[name] ?? VICTIMS))) return 1;
  console.log(`${name}: seed ${seed}`);
  const campaign = await load();
  const result = await campaign(
    { kills, inputs, orders, seconds, sessions, seed, random: seededRandom(seed).next },
    console.log,
  );
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  const table = new Table({ style: { head: [], border: [] } });
  table.push(...Object.entries(result).map(([key, value]) => [key, String(value)]));
  console.log(table.toString());
  return isClean(result) ? 0 : 1;
}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      allowNegative: true,
      options: {
        kills: { type: 'string', default: '1000' },
        inputs: { type: 'string', default: '1000000' },
        orders: { type: 'string', default: '1000' },
        seconds: { type: 'string', default: '604800' },
        sessions: { type: 'string', default: '100' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        json: { type: 'string' },
        build: { type: 'boolean', default: true },
      },
    });
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  const { values, positionals } = parsed;
  const [name] = positionals;
  if (name === undefined) return { wrong: 'Which campaign?' };
  const load = Object.hasOwn(CAMPAIGNS, name) ? CAMPAIGNS[name] : undefined;
  if (load === undefined) return { wrong: `There is no campaign "${name}".` };
  if (positionals.length > 1) return { wrong: `One campaign at a time: what is "${positionals[1]}"?` };
  const [kills, inputs, orders, seconds, seed] = [
    values.kills,
    values.inputs,
    values.orders,
    values.seconds,
    values.seed,
  ].map(Number) as [number, number, number, number, number];
  if (!Number.isSafeInteger(kills) || kills < 1) return { wrong: '--kills takes a whole number from 1.' };
  if (!Number.isSafeInteger(inputs) || inputs < 1) return { wrong: '--inputs takes a whole number from 1.' };
  if (!Number.isSafeInteger(orders) || orders < 1) return { wrong: '--orders takes a whole number from 1.' };
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    return { wrong: '--seconds takes a whole number from 1.' };
  const sessions = Number(values.sessions);
  if (!Number.isSafeInteger(sessions) || sessions < 1)
    return { wrong: '--sessions takes a whole number from 1.' };
  if (!Number.isSafeInteger(seed) || seed < 0) return { wrong: '--seed takes a whole number from 0.' };
  return {
    name,
    load,
    kills,
    inputs,
    orders,
    seconds,
    sessions,
    seed,
    json: values.json,
    build: values.build,
  };
}

function isClean(found: Found): boolean {
  if ('leftovers' in found)
    return (
      found.controlCaught && found.leftovers + found.failed + found.missingBytes === 0 && found.chainHolds
    );
  if ('cameTwice' in found) return offlineFaults(found).length === 0;
  if ('twice' in found)
    return (
      found.controlCaught &&
      found.unfinished + found.changed + found.twice + found.missing + found.unasked + found.leftRunning === 0
    );
  const wrong =
    'findings' in found
      ? found.findings
      : found.lost + found.duplicated + found.outOfOrder + found.ordersUnfinished;
  return wrong === 0 && found.controlCaught;
}
