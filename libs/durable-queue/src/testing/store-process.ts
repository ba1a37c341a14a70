/**
 * A store in a process of its own that its parent may kill at any moment: `node store-process.ts FOLDER LIMITS CLOCKS`,
 * with an IPC channel. Opens the store, then does as it is told, one call after the other.
 */
import { openQueue } from '../open-queue.ts';
import type { DurableQueue } from '../queue.ts';
import { ALWAYS, burst, clocksOf, type Clocks } from './host.ts';
import type { Call, Reply } from './process-host.ts';
import { snapshotOf } from './snapshot.ts';

const [, , folder = '', limits = '{}', clocksJson = '{}'] = process.argv;
let clocks = JSON.parse(clocksJson) as Clocks;

const reply = (message: Reply): Promise<void> => new Promise((sent) => process.send?.(message, () => sent()));
process.on('disconnect', () => process.exit()); // closed, or whoever started this is gone
await reply({ kind: 'started', pid: process.pid });

let queue: DurableQueue;
try {
  const { bootId } = clocks;
  queue = await openQueue({ folder, ...JSON.parse(limits), ...clocksOf(() => clocks), bootId });
} catch (error) {
  await reply(failure(error));
  process.exit(1);
}
process.on('message', async (call: Call) => {
  try {
    await reply({ kind: 'done', value: await perform(call) });
  } catch (error) {
    await reply(failure(error));
  }
  if (call.do === 'close') process.disconnect?.();
});
await reply({ kind: 'done', value: undefined });

async function perform(call: Call): Promise<unknown> {
  if (call.do === 'burst') {
    clocks = call.clocks;
    return burst(queue, call.batches);
  }
  if (call.do === 'renew') return queue.renewEpoch();
  if (call.do === 'compact') return queue.compact(ALWAYS);
  if (call.do === 'snapshot') return snapshotOf(queue);
  return queue.close();
}

function failure(error: unknown): Reply {
  const { code = 'none', stack = String(error) } = error as { code?: unknown; stack?: string };
  return { kind: 'failed', code: String(code), detail: stack };
}
