import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably, type Logger } from '@bowline/runtime';
import { RejectedError, toWireError, type WireError } from '@bowline/runtime/errors';

export interface BundleRequest {
  /** Path of the bundle. */
  file: string;
  /** Signed order, compact JWS; absent: the one in the bundle. */
  order?: string;
}

export type BundleAnswer = { orderId: string } | { error: WireError };

export interface BundleRequestsOptions {
  folder: string;
  /** @returns the id of the order. */
  take(request: BundleRequest): Promise<string>;
  log: Logger;
  nowMs: () => number;
}

const REQUEST = '.json';
const ANSWER = '.answer';
/** An answer that nobody has read by then is removed. */
const KEPT_MS = 3_600_000;

/**
 * Bundles that people bring (`bowline update apply`), a file each: `FOLDER/NAME.json` with `{ file, order? }`, its answer in
 * `NAME.answer`. As files, like holds: they are answered whenever this app runs, and whoever may write the folder may bring one.
 */
export function answerBundles({ folder, take, log, nowMs }: BundleRequestsOptions): {
  close(): Promise<void>;
} {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  let looking = Promise.resolve();
  let isClosed = false;

  async function look(): Promise<void> {
    for (const entry of readdirSync(folder)) {
      const path = join(folder, entry);
      if (entry.endsWith(ANSWER)) {
        if (nowMs() - statSync(path).mtimeMs > KEPT_MS) rmSync(path, { force: true });
      } else if (entry.endsWith(REQUEST) && !isClosed) await answer(path);
    }
  }

  async function answer(path: string): Promise<void> {
    let told: BundleAnswer;
    try {
      told = { orderId: await take(readRequest(path)) };
    } catch (error) {
      if (isClosed) return; // it is answered by the next life
      told = { error: toWireError(error) };
      log.warn({ error }, 'a bundle was refused');
    }
    writeFileDurably(`${path.slice(0, -REQUEST.length)}${ANSWER}`, JSON.stringify(told));
    rmSync(path, { force: true });
  }

  const lookAgain = () => {
    looking = looking
      .then(look)
      .catch((error: unknown) => log.error({ error, folder }, 'bundles could not be looked for'));
  };
  const watcher = watch(folder, lookAgain);
  watcher.on('error', (error) =>
    log.error({ error, folder }, 'bundles are looked for at the next start only'),
  );
  lookAgain();
  return {
    close: async () => {
      isClosed = true;
      watcher.close();
      await looking;
    },
  };
}

function readRequest(path: string): BundleRequest {
  const { file, order } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  if (typeof file !== 'string' || !(order === undefined || typeof order === 'string'))
    throw new RejectedError('invalid', `${path} names no bundle`);
  return { file, ...(order === undefined ? {} : { order }) };
}
