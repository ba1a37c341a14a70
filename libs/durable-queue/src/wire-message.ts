import { ContractError } from '@bowline/runtime/errors';
import type { NewMessage, WrittenMessage } from './queue.ts';

/**
 * A message as it stands inside a `batch` frame (protocol, section 2), but for its seq, which is known only when its
 * transaction is built. Everything dear about it (lengths, escapes) is done when the caller hands it in.
 */
export interface PreparedMessage {
  text: string;
  /** Where in the text the seq belongs. */
  seqAt: number;
  /** UTF-8 length, without the digits of the seq. */
  bytes: number;
}

const SAFE_NAME = /^[A-Za-z0-9._:-]{1,128}$/;
/** What stands between the parts of a message's head. */
const [ID, TYPE, SEQ, SENT_AT, PAYLOAD] = [
  '{"id":"',
  '","type":"',
  '"seq":',
  '","sentAt":',
  ',"payload":{',
] as const;

/**
 * @throws ContractError `invalid-message`: an id or a type that would need escaping, a payload that is no object, a text
 *   that does not begin as it should.
 */
export function prepare(message: NewMessage | WrittenMessage): PreparedMessage {
  const text = 'text' in message ? checkText(message) : write(message);
  // `{"id":"` + id + `","type":"` + type + `",`
  const seqAt = ID.length + message.id.length + TYPE.length + message.type.length + 2;
  return { text, seqAt, bytes: Buffer.byteLength(text) + SEQ.length + 1 };
}

function write({ id, type, sentAt, payloadJson }: NewMessage): string {
  if (!SAFE_NAME.test(id) || !SAFE_NAME.test(type)) {
    throw new ContractError('invalid-message', `not an id and a type: ${JSON.stringify([id, type])}`);
  }
  if (!payloadJson.startsWith('{') || !payloadJson.endsWith('}') || !Number.isSafeInteger(sentAt)) {
    throw new ContractError('invalid-message', `message ${id} has no object as payload or no time`);
  }
  return `${ID}${id}${TYPE}${type}${SENT_AT}${sentAt}${PAYLOAD}${payloadJson.slice(1)}}`;
}

/**
 * What a text begins with shows that it is the message it is said to be, and that nothing in its head needs escaping.
 * Piece by piece: to put the head together first makes more garbage than all the rest of a message.
 */
function checkText({ id, type, sentAt, text }: WrittenMessage): string {
  const typeAt = ID.length + id.length + TYPE.length;
  const timeAt = typeAt + type.length + SENT_AT.length;
  const time = String(sentAt);
  if (
    text.startsWith(ID) &&
    text.startsWith(id, ID.length) &&
    text.startsWith(TYPE, typeAt - TYPE.length) &&
    text.startsWith(type, typeAt) &&
    text.startsWith(SENT_AT, timeAt - SENT_AT.length) &&
    text.startsWith(time, timeAt) &&
    text.startsWith(PAYLOAD, timeAt + time.length)
  ) {
    return text;
  }
  throw new ContractError('invalid-message', `the text of message ${id} has its members in another order`);
}

export const render = ({ text, seqAt }: PreparedMessage, seq: number): string =>
  `${text.slice(0, seqAt)}${SEQ}${seq},${text.slice(seqAt)}`;

/** What {@link render} put before the payload. */
export interface MessageHead {
  id: string;
  type: string;
  seq: number;
  sentAt: number;
}

const HEAD = /^\{"id":"([^"]*)","type":"([^"]*)","seq": *(\d+),"sentAt":(\d+),"payload":/;

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
