import { row, type Row } from '../row.ts';
import { median } from '../statistics.ts';
import type { BenchContext } from '../context.ts';
import { writtenBytes, type BenchProcess } from '../processes.ts';
import { BenchDevice } from './device.ts';
import { inRounds, rate } from './rounds.ts';

/** Messages a round, by how many are outstanding: about a second each. */
const COUNTS = { 1: 1500, 64: 25_000, 1024: 80_000 } as const;
const GOAL = 150_000;

/** Durable hand-over from one sibling process. No cloud: what is measured is IPC, gateway and store. */
export async function benchEnqueue(context: BenchContext): Promise<Row[]> {
  const device = new BenchDevice(context, 'enqueue');
  await device.startGateway();
  const app = await device.startApp();
  let written = 0;
  let messages = 0;
  const measure = (outstanding: keyof typeof COUNTS) => async () => {
    const before = writtenBytes(device.gateway.pid);
    const found = await handOver(app, COUNTS[outstanding], outstanding);
    if (outstanding === 1024) {
      written += writtenBytes(device.gateway.pid) - before;
      messages += COUNTS[outstanding];
    }
    return found;
  };
  const rates = await inRounds({ one: measure(1), some: measure(64), many: measure(1024) });
  await app.end();
  await device.endGateway();
  return [
    row('durable enqueue over IPC, 1 outstanding', median(rates.one), 'msg/s'),
    row('durable enqueue over IPC, 64 outstanding', median(rates.some), 'msg/s'),
    row('durable enqueue over IPC, 1024 outstanding', median(rates.many), 'msg/s', {
      goal: { atLeast: GOAL },
    }),
    row('written by the gateway while enqueuing, 1024 outstanding', written / messages, 'bytes/msg'),
  ];
}

/** Messages a second. */
export async function handOver(app: BenchProcess, count: number, outstanding: number): Promise<number> {
  await app.call('prepare', { count });
  return rate(count, await app.call<number>('run', { outstanding }));
}
