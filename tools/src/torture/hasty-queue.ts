/**
 * The negative control, loaded into a gateway by `node --import`: its store says "accepted" before anything is on disk. A
 * campaign that does not catch this gateway proves nothing.
 */
import { registerHooks } from 'node:module';

const COMMIT_AFTER_MS = 100;

const HASTY = `
export * from './limits.ts';
import { openQueue as openSound } from './open-queue.ts';
export async function openQueue(options) {
  const queue = await openSound(options);
  const commit = queue.commit.bind(queue);
  queue.commit = async (batch) => {
    if (batch.producer === undefined) return commit(batch);
    setTimeout(() => void commit(batch), ${COMMIT_AFTER_MS});
    return { duplicate: false, seqs: [] };
  };
  return queue;
}`;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('/libs/durable-queue/src/index.ts')) return nextLoad(url, context);
    return { format: 'module', source: HASTY, shortCircuit: true };
  },
});
