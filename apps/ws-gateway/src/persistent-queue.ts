import { join } from 'node:path';
import { openQueue, type DurableQueue } from '@bowline/durable-queue';
import { InternalError, type Clock, type ServerClock } from '@bowline/runtime';
import type { GatewayConfig } from './config.ts';

/**
 * Opens the store of this device: outbox lanes, journal, dead letters, ledger (docs/architecture.md, where state lives).
 *
 * A store that cannot commit is not to be used any more: whoever asked gets the error, and the process ends, to be
 * started on the store as it really is on disk.
 */
export async function openPersistentQueue(
  { stateDir, queue: lanes }: GatewayConfig,
  clock: Clock,
  serverClock: ServerClock,
): Promise<DurableQueue> {
  const queue = await openQueue({
    folder: join(stateDir, 'store'),
    wallMs: () => clock.wallMs(),
    serverMs: () => serverClock.nowMs(),
    lanes,
  });
  const commit = queue.commit.bind(queue);
  queue.commit = (batch) => {
    const result = commit(batch);
    result.catch((error: unknown) => {
      if (error instanceof InternalError) queueMicrotask(() => exitOn(error));
    });
    return result;
  };
  return queue;
}

function exitOn(error: InternalError): never {
  throw error; // an uncaught exception: logged, exit 1, started anew
}
