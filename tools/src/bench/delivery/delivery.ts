import type { BenchContext } from '../context.ts';
import type { Row } from '../row.ts';
import { benchEndToEnd } from './end-to-end.ts';
import { benchEnqueue } from './enqueue.ts';
import { benchRoundTrip } from './round-trip.ts';

/** The delivery engine: how fast it is, beside its peers and its own ceiling. docs/benchmarks.md explains each row. */
export async function benchDelivery(context: BenchContext): Promise<Row[]> {
  context.say('durable enqueue');
  const enqueue = await benchEnqueue(context);
  context.say('end to end, bare pipeline, peers');
  const endToEnd = await benchEndToEnd(context);
  context.say('round trip of a command, raw parts');
  return [...enqueue, ...endToEnd, ...(await benchRoundTrip(context))];
}
