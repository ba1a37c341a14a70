/** `npm run bench -- NAME [--json FILE] [--seed N] [--large] [--no-build] [--folder FOLDER]`; see docs/benchmarks.md. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '@bowline/testing';
import { run, WORKSPACE } from '../test/run.ts';
import type { BenchContext } from './context.ts';
import { APPS, benchDelivery } from './delivery/delivery.ts';
import { describeMachine } from './machine.ts';
import { Processes } from './processes.ts';
import { table, writeJson } from './report.ts';
import type { Row } from './row.ts';

/** Each benchmark with the apps that it runs. */
const BENCHMARKS: Record<
  string,
  { apps: readonly string[]; bench: (context: BenchContext) => Promise<Row[]> }
> = {
  delivery: { apps: APPS, bench: benchDelivery },
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
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: {
      json: { type: 'string' },
      seed: { type: 'string' },
      large: { type: 'boolean', default: false },
      build: { type: 'boolean', default: true },
      folder: { type: 'string', default: '/var/tmp' },
    },
  });
  const name = positionals[0] ?? '';
  const chosen = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (chosen === undefined) {
    console.error(USAGE);
    return 1;
  }
  if (values.build) {
    const projects = chosen.apps.map((app) => `@bowline/${app}`).join(',');
    if (!(await run('nx', ['run-many', '-t', 'build', '-p', projects], WORKSPACE))) return 1;
  }

  const random = seededRandom(
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed),
  );
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
    const rows = await chosen.bench({ folder, processes, random, large: values.large, say });
    const result = { name, seed: random.seed, machine, rows };
    console.log(table(result));
    if (values.json !== undefined) writeJson(values.json, result);
    return 0;
  } finally {
    await cleanUp();
  }
}
