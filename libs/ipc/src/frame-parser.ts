import { MAX_NESTING, parseFrame } from '@bowline/messages/frame';
import { ContractError } from '@bowline/runtime/errors';
import { IPCProtocolError, type IpcParser } from 'node-ipc';
import { MAX_LINES } from './lines.ts';
import { maxPendingBytes, type IpcLimits } from './limits.ts';

/** The one event that we send through node-ipc: all messages of a tick. */
export const FRAME_EVENT = 'messages';

/** Ends a frame, and parts its lines. JSON escapes both inside strings, so neither can occur in one. */
const DELIMITER = '\f';
const NEWLINE = '\n';

/** Most lines of one frame: those of a few requests. */
const MAX_FRAME_LINES = 4 * MAX_LINES;

/** Levels that a frame adds around a body which itself may nest as deep as a frame of the wire. */
const NESTING = MAX_NESTING + 8;
/** The frame itself and its list of messages are two of them. */
export const MESSAGE_NESTING = NESTING - 2;

/** A decoded frame: messages of unknown shape, the lines that requests among them bring, and what all of it weighed. */
export interface Frame {
  messages: unknown[];
  /** JSON texts that nobody has looked into. */
  lines: string[];
  bytes: number;
}

/** A message on its way into a frame: its JSON and the lines that go with it, joined. */
export interface FramePart {
  text: string;
  lines?: string;
}

/** The beginning of a frame, in the pieces in which it came. */
interface Partial {
  pieces: string[];
  length: number;
}

/**
 * node-ipc's framing (`{"type":…,"data":…}` and a form feed) with the limits of its `guarded` profile and four
 * differences: messages come as JSON text and are joined, not encoded twice; the pieces of a large frame are joined
 * once, not at every chunk; the one event name that we use is the only one that is let in; lines may follow the object,
 * which are not parsed with it, so that whoever stores them stores them as they came.
 */
export function createFrameParser(limits: IpcLimits): IpcParser<Partial, Frame> {
  const decode = (text: string): { type: string; data: Frame } => {
    mustFit(text, limits.frameBytes);
    const lines = text.split(NEWLINE, MAX_FRAME_LINES + 2);
    if (lines.length > MAX_FRAME_LINES + 1)
      throw new IPCProtocolError('too-large', 'frame has too many lines');
    const messages = decodeHead(lines.shift() ?? '', limits.frameBytes);
    return { type: FRAME_EVENT, data: { messages, lines, bytes: text.length } };
  };
  return {
    raw: false,
    encoding: 'utf8',
    maxPendingBytes: maxPendingBytes(limits),
    messageTimeout: limits.incompleteFrameMs,
    encode: (type, given) => {
      const parts = given as readonly FramePart[];
      const head = `{"type":"${type}","data":[${parts.map(({ text }) => text).join(',')}]}`;
      return Buffer.from([head, ...parts.flatMap(({ lines }) => lines ?? [])].join(NEWLINE) + DELIMITER);
    },
    read(state, chunk, receive) {
      let partial = state === '' ? undefined : state;
      let start = 0;
      for (let end = chunk.indexOf(DELIMITER); end !== -1; end = chunk.indexOf(DELIMITER, start)) {
        const piece = chunk.slice(start, end);
        receive(decode(partial === undefined ? piece : partial.pieces.join('') + piece));
        partial = undefined;
        start = end + 1;
      }
      if (start === chunk.length) return partial ?? '';
      partial ??= { pieces: [], length: 0 };
      partial.pieces.push(start === 0 ? chunk : chunk.slice(start));
      partial.length += chunk.length - start;
      // A character is a byte or more: beyond the cap in characters is beyond the cap.
      if (partial.length > limits.frameBytes) throw protocolError('too-large', limits.frameBytes);
      return partial;
    },
  };
}

/** A character is a byte at least and three at most: they are counted only where it matters. */
function mustFit(text: string, maxBytes: number): void {
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)
    throw protocolError('too-large', maxBytes);
}

function decodeHead(text: string, maxBytes: number): unknown[] {
  let value: unknown;
  try {
    value = parseFrame(text, maxBytes, NESTING);
  } catch (error) {
    if (error instanceof ContractError) throw new IPCProtocolError(error.code, error.message);
    throw error;
  }
  if (typeof value === 'object' && value !== null && 'type' in value && 'data' in value) {
    if (value.type === FRAME_EVENT && Array.isArray(value.data)) return value.data as unknown[];
  }
  throw new IPCProtocolError('invalid', 'frame is not a list of messages');
}

const protocolError = (code: string, bytes: number) =>
  new IPCProtocolError(code, `frame is larger than ${bytes} bytes`);
