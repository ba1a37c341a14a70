/**
 * `npm run bench -- NAME [--json FILE] [--seed N] [--large] [--no-build] [--folder FOLDER]`; see docs/benchmarks.md.
 *
 * Nothing that is generated is imported before it is built: this runs in a checkout that has seen `npm ci` and no more.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DEVICE_APPS } from '@bowline/pm2';
import { seededRandom } from '@bowline/testing/seeded-random';
import { buildApps } from '../test/build-apps.ts';
import type { BenchContext } from './context.ts';
import { describeMachine } from './machine.ts';
import { Processes } from './processes.ts';
import { table, writeJson } from './report.ts';
import type { Row } from './row.ts';

/** Each benchmark with the apps that it runs, which are built before it is loaded. */
const BENCHMARKS: Record<
  string,
  { apps: readonly string[]; load: () => Promise<(context: BenchContext) => Promise<Row[]>> }
> = {
  delivery: {
    apps: ['ws-gateway', 'command-executor', 'fleet-server'],
    load: async () => (await import('./delivery/delivery.ts')).benchDelivery,
  },
  history: {
    apps: ['telemetry-collector'],
    load: async () => (await import('./history/history.ts')).benchHistory,
  },
  encoding: {
    apps: ['ws-gateway', 'fleet-server'],
    load: async () => (await import('./telemetry/encoding.ts')).benchEncoding,
  },
  footprint: {
    apps: ['ws-gateway', 'telemetry-collector'],
    load: async () => (await import('./telemetry/footprint.ts')).benchFootprint,
  },
  ota: {
    apps: ['ota-updater'],
    load: async () => (await import('./ota/ota.ts')).benchOta,
  },
  ssh: {
    apps: [...DEVICE_APPS, 'fleet-server', 'cli'],
    load: async () => (await import('./ssh/ssh.ts')).benchSsh,
  },
};

const USAGE = `npm run bench -- NAME [--json FILE] [--seed N] [--large] [--no-build] [--folder FOLDER]

  NAME             ${Object.keys(BENCHMARKS).join(', ')}
  --json FILE      writes the rows there as well
  --seed N         repeats a run's messages
  --large          a backlog of a million messages
  --no-build       measures what is built
  --folder FOLDER  where the state of the processes goes (default /var/tmp): a disk, not memory`;

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readArguments();
  if ('wrong' in asked) {
    console.error(`${asked.wrong}\n\n${USAGE}`);
    return 2;
  }
  const { name, chosen, values } = asked;
  if (values.build && !(await buildApps(chosen.apps))) return 1;
  const bench = await chosen.load();

  const random = seededRandom(values.seed);
  const folder = mkdtempSync(join(resolve(values.folder), 'bl-bench-'));
  const processes = new Processes(folder);
  const cleanUp = async () => {
    await processes.endAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(130)));
  }
  try {
    const machine = describeMachine(folder);
    if (machine.fileSystem.startsWith('tmpfs')) {
      console.error(
        `${folder} is in memory (tmpfs), where durable means nothing: choose a disk with --folder`,
      );
      return 1;
    }
    const say = (line: string) => console.error(`… ${line}`);
    say(`seed ${random.seed}`);
    const rows = await bench({ folder, processes, random, large: values.large, say });
    const result = { name, seed: random.seed, machine, rows };
    console.log(table(result));
    if (values.json !== undefined) writeJson(values.json, result);
    return 0;
  } finally {
    await cleanUp();
  }
}

function readArguments() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      allowNegative: true,
      options: {
        json: { type: 'string' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
        large: { type: 'boolean', default: false },
        build: { type: 'boolean', default: true },
        folder: { type: 'string', default: '/var/tmp' },
      },
    });
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  const { values, positionals } = parsed;
  const [name] = positionals;
  if (name === undefined) return { wrong: 'Which benchmark?' };
  const chosen = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (chosen === undefined) return { wrong: `There is no benchmark "${name}".` };
  if (positionals.length > 1) return { wrong: `One benchmark at a time: what is "${positionals[1]}"?` };
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) return { wrong: '--seed takes a whole number from 0.' };
  return { name, chosen, values: { ...values, seed } };
}
