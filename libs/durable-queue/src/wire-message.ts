import { ContractError } from '@bowline/runtime/errors';
import type { NewMessage } from './queue.ts';

/**
 * A message as it stands inside a `batch` frame (protocol, section 2), but for its seq, which is known only when its
 * transaction is built. Everything dear about it (lengths, escapes) is done when the caller hands it in.
 */
export interface PreparedMessage {
  head: string;
  tail: string;
  /** UTF-8 length of head and tail. */
  bytes: number;
}

const SAFE_NAME = /^[A-Za-z0-9._:-]{1,128}$/;

/** @throws ContractError `invalid-message`: an id or a type that would need escaping, or a payload that is no object. */
export function prepare({ id, type, sentAt, payloadJson }: NewMessage): PreparedMessage {
  if (!SAFE_NAME.test(id) || !SAFE_NAME.test(type)) {
    throw new ContractError('invalid-message', `not an id and a type: ${JSON.stringify([id, type])}`);
  }
  if (!payloadJson.startsWith('{') || !payloadJson.endsWith('}') || !Number.isSafeInteger(sentAt)) {
    throw new ContractError('invalid-message', `message ${id} has no object as payload or no time`);
  }
  const head = `{"id":"${id}","type":"${type}","seq":`;
  const tail = `,"sentAt":${sentAt},"payload":${payloadJson}}`;
  return { head, tail, bytes: head.length + Buffer.byteLength(tail) };
}

export const render = ({ head, tail }: PreparedMessage, seq: number): string => head + String(seq) + tail;

/** What {@link render} put before the payload. */
export interface MessageHead {
  id: string;
  type: string;
  seq: number;
  sentAt: number;
}

const HEAD = /^\{"id":"([^"]*)","type":"([^"]*)","seq":(\d+),"sentAt":(\d+),"payload":/;

/** Reads the head of a message that {@link render} wrote, without parsing the payload. */
export function readHead(json: string): MessageHead | undefined {
  const match = HEAD.exec(json);
  if (match === null) return undefined;
  const [, id = '', type = '', seq, sentAt] = match;
  return { id, type, seq: Number(seq), sentAt: Number(sentAt) };
}

/** The message as it was handed in, to be stored under another seq. */
export function unrender(json: string): NewMessage | undefined {
  const match = HEAD.exec(json);
  if (match === null) return undefined;
  const [head, id = '', type = '', , sentAt] = match;
  return { id, type, sentAt: Number(sentAt), payloadJson: json.slice(head.length, -1) };
}
