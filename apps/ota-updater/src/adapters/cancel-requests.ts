import { mkdirSync, readdirSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@bowline/runtime';

export interface CancelRequestsOptions {
  folder: string;
  cancel(orderId: string): 'stopping' | 'too-late' | 'unknown-order';
  log: Logger;
}

const ORDER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Updates that people on the device call off (`bowline update cancel`), a file each, named by the order. As files, like holds:
 * they count whether or not this app runs. A file is removed once it was heard; how the update ends is in its status.
 */
export function answerCancels({ folder, cancel, log }: CancelRequestsOptions): { close(): void } {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const look = () => {
    try {
      for (const orderId of readdirSync(folder)) {
        if (!ORDER_ID.test(orderId)) continue; // it is still being written
        const outcome = cancel(orderId);
        rmSync(join(folder, orderId), { recursive: true, force: true });
        log.info({ orderId, outcome }, 'somebody on the device called an update off');
      }
    } catch (error) {
      log.error({ error, folder }, 'what is to be called off could not be read');
    }
  };
  const watcher = watch(folder, look);
  watcher.on('error', (error) =>
    log.error({ error, folder }, 'what is to be called off is looked for at the next start only'),
  );
  look();
  return { close: () => watcher.close() };
}
