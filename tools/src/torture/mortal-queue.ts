/**
 * Loaded into a gateway by `node --import mortal-queue.ts?control=FILE`: it ends as by `kill -9` just before or just after its store
 * commits what FILE says ("before started": a journal entry of that status; "after receipt": of the lane `results`), once.
 */
import { registerHooks } from 'node:module';

const control = new URL(import.meta.url).searchParams.get('control') ?? '';

const MORTAL = `
export * from './limits.ts';
import { readFileSync, rmSync } from 'node:fs';
import { openQueue as openSound } from './open-queue.ts';
const wished = () => {
  try {
    return readFileSync(${JSON.stringify(control)}, 'utf8').split(' ');
  } catch {
    return [];
  }
};
function die() {
  rmSync(${JSON.stringify(control)});
  process.kill(process.pid, 'SIGKILL');
  for (;;); // until it has reached us
}
export async function openQueue(options) {
  const queue = await openSound(options);
  const commit = queue.commit.bind(queue);
  queue.commit = async (batch) => {
    const [moment, what] = wished();
    const isIt = what === 'receipt' ? batch.receipts?.results !== undefined : batch.journal?.some(({ status }) => status === what) === true;
    if (isIt && moment === 'before') die();
    const result = await commit(batch);
    if (isIt && moment === 'after') die();
    return result;
  };
  return queue;
}`;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('/libs/durable-queue/src/index.ts')) return nextLoad(url, context);
    return { format: 'module', source: MORTAL, shortCircuit: true };
  },
});
