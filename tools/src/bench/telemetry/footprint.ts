import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WORKSPACE } from '../../test/run.ts';
import { folderIn, type BenchContext } from '../context.ts';
import { residentMiB } from '../processes.ts';
import { row, type Row } from '../row.ts';

const SETTLE_MS = 15_000;
const MEASURE_MS = 120_000;

/** What the collector costs at rest: its default series, its history, a gateway that is there. */
export async function benchFootprint(context: BenchContext): Promise<Row[]> {
  const hubFolder = folderIn(context, 'hub');
  const start = (app: string, flags: string[]) =>
    context.processes.node(app, join(WORKSPACE, 'apps', app, 'dist/main.js'), {
      nodeArgs: ['--max-semi-space-size=4'],
      args: [`--stateDir=${folderIn(context, app)}`, `--hubFolder=${hubFolder}`, ...flags],
      env: { ...process.env, MALLOC_ARENA_MAX: '1' },
    });
  // Nobody to enrol with: it keeps what it gets.
  await start('ws-gateway', ['--enrolment.server=https://127.0.0.1:1']);
  const collector = await start('telemetry-collector', [`--ingest.socket=${join(context.folder, 'in/s')}`]);
  context.say(`at rest for ${(SETTLE_MS + MEASURE_MS) / 1000} s`);
  await sleep(SETTLE_MS);
  const before = cpuSeconds(collector.pid);
  await sleep(MEASURE_MS);
  const used = cpuSeconds(collector.pid) - before;
  const { all, anonymous } = residentMiB(collector.pid);
  return [
    row('CPU time of the collector at rest', (100 * used) / (MEASURE_MS / 1000), '% of a core', {
      goal: { atMost: 1 },
    }),
    row('resident memory of the collector', all, 'MiB'),
    row('of that anonymous', anonymous, 'MiB'),
  ];
}

/** utime and stime of proc(5), behind the name in brackets. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
