import type { History } from '@bowline/messages';
import type { LogUpload } from '../history-config.ts';
import type { Cursor, HistorySource } from '../orders/item.ts';
import { sendParts } from '../orders/send-parts.ts';

/** What is known of an upload job, kept over restarts. */
export interface UploadState {
  /** What it uploads: another wish begins anew at the moment of the cursor. */
  wish: string;
  /** Behind what was uploaded. */
  cursor: Cursor;
  /** The upload under way. */
  current?: { id: string; from: number; part: number; bytes: number; items: number };
}

export interface LogUploadOptions {
  name: string;
  config: LogUpload;
  source(range: { from: number; to: number }): HistorySource;
  /** `write` is durable when it returns. */
  state: { read(): UploadState | undefined; write(state: UploadState): void };
  room(): Promise<void>;
  send(payload: History): Promise<void>;
  newId(): string;
  /** Epoch milliseconds. */
  nowMs: number;
}

/** A first upload reaches back so far, milliseconds. */
const FIRST_MS = 86_400_000;
/** Behind what was uploaded everything is new, whatever time it says: clocks are wrong at times. The end of the year 9999. */
const ANY_TIME = { from: 0, to: 253_402_300_799_000 };

/**
 * Uploads what an app or the journal has gathered since the last upload, in parts like those of an answer, under an id of its
 * own. One that is cut off, by a restart or by the cloud's absence, goes on with the part that was under way; what would be more
 * than `maxBytes` is left to the next one.
 *
 * @returns items that were uploaded.
 */
export async function uploadLog(options: LogUploadOptions, signal: AbortSignal): Promise<number> {
  const { name, config, source, state, room, send, newId, nowMs } = options;
  const { kind, app, filter, maxBytes } = config;
  const wish = JSON.stringify([kind, app, filter]);
  const known = begun(state.read(), wish, nowMs);
  const current = known.current ?? {
    id: newId(),
    from: known.cursor.at,
    part: 0,
    bytes: 0,
    items: 0,
  };
  const { id, from } = current;
  const upload = { job: name, kind, from, to: nowMs, ...(app === undefined ? {} : { app }) };
  const done = await sendParts(
    source(known.cursor.mark === undefined ? { from, to: nowMs } : ANY_TIME),
    { ...current, cursor: known.cursor },
    {
      room,
      isEnough: (bytes) => bytes > maxBytes,
      partBytes: maxBytes,
      note: ({ cursor, ...came }) => state.write({ wish, cursor, current: { ...current, ...came } }),
      send: (part) =>
        part.part === 0 && part.last && isEmpty(part.data)
          ? Promise.resolve()
          : send({ orderId: id, upload, ...part }),
    },
    signal,
  );
  state.write({ wish, cursor: done.cursor });
  return done.items;
}

const isEmpty = (data: unknown): boolean => Array.isArray(data) && data.length === 0;

function begun(known: UploadState | undefined, wish: string, nowMs: number): UploadState {
  const first = Math.max(0, nowMs - FIRST_MS);
  const isSame = known?.wish === wish;
  const cursor = isSame ? known.cursor : { group: 0, at: known?.cursor.at ?? first, skip: 0 };
  // A clock that was far ahead must not keep us from uploading until that time has come.
  const at = cursor.at > nowMs ? first : cursor.at;
  return { ...(isSame ? known : {}), wish, cursor: { ...cursor, at } };
}
