import { readdirSync, rmSync, statSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import type { HistoryOrdersOptions } from './history-orders.ts';
import type { PartsProgress } from './send-parts.ts';

/** An order lives for a week at most (protocol, section 4): older files belong to nobody. */
const OLD_MS = 8 * 86_400_000;

/** A small file for each order under way. */
export function progressFiles(folder: string): HistoryOrdersOptions['progress'] {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > OLD_MS) rmSync(path, { force: true });
  }
  // The contract lets only UUIDs through: no part of the path is the cloud's to choose.
  const fileOf = (orderId: string) => join(folder, `${orderId}.json`);
  return {
    read: (orderId) => {
      try {
        const text = readFileIfPresent(fileOf(orderId));
        return text === undefined ? undefined : (JSON.parse(text) as PartsProgress);
      } catch {
        // Spoilt: the answer begins anew, under the same numbers.
        return undefined;
      }
    },
    write: (orderId, progress) => writeFileDurably(fileOf(orderId), JSON.stringify(progress)),
    remove: (orderId) => rmSync(fileOf(orderId), { force: true }),
  };
}
