import { MAX_PAYLOAD_NESTING, nestsBelow } from '@bowline/messages/frame';
import type { OrderError } from './plan-command.ts';
import { utf8Bytes } from './utf8-bytes.ts';

/** How a run ended, as it is reported. */
export type Outcome =
  | { status: 'succeeded'; result: unknown }
  | { status: 'failed'; error: OrderError }
  | { status: 'cancelled'; error: OrderError }
  /** Nobody knows whether the effect took place. */
  | { status: 'indeterminate'; error: OrderError };

/** Of a result of which only the beginning was kept: that, as the text it came as, and how long all of it was. */
export class CutResult {
  readonly start: string;
  readonly sizeBytes: number;

  constructor(start: string, sizeBytes: number) {
    this.start = start;
    this.sizeBytes = sizeBytes;
  }
}

/**
 * A result that fits into an ack, in size and in depth: as it is, or else its beginning as text, and how long it was.
 *
 * @param maxBytes of the result as JSON in UTF-8.
 */
export function capResult(result: unknown, maxBytes: number): unknown {
  if (result instanceof CutResult) {
    const { start, sizeBytes } = result;
    return { truncated: true, sizeBytes, start: beginning(start, maxBytes) };
  }
  const json = jsonOf(result);
  const sizeBytes = utf8Bytes(json);
  const isShallow = !nestsBelow(result, MAX_PAYLOAD_NESTING - 1);
  if (sizeBytes <= maxBytes && isShallow) return result ?? null;
  return { truncated: true, sizeBytes, start: beginning(json, maxBytes) };
}

/** What nests by the thousand can be parsed, but not written again: then without what is deeper than anybody may send. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return JSON.stringify(shallow(value, MAX_PAYLOAD_NESTING));
  }
}

function shallow(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  if (Array.isArray(value)) return value.map((member) => shallow(member, levels - 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, shallow(member, levels - 1)]),
  );
}

/** Room for the other members of a cut result. */
const FRAME_BYTES = 80;

/** As much of a text as fits, as JSON inside JSON. */
export function beginning(json: string, maxBytes: number): string {
  let end = Math.max(0, maxBytes - FRAME_BYTES);
  // As JSON inside JSON each quote and backslash grows: cut until the whole fits.
  while (end > 0 && utf8Bytes(JSON.stringify(json.slice(0, end))) > maxBytes - FRAME_BYTES) {
    end = Math.floor(end * 0.9);
  }
  return json.slice(0, end);
}
