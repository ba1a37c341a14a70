import { ContractError } from '@bowline/runtime/errors';

/** Deepest nesting of a frame (protocol, section 1). */
export const MAX_NESTING = 32;

/**
 * Text → JSON value, capped before it is parsed: a hostile frame costs one scan.
 *
 * @throws ContractError `too-large`, `too-deep` or `broken-json`; the last two close the link with 1007, the first 1009.
 */
export function parseFrame(text: string, maxBytes: number, maxNesting = MAX_NESTING): unknown {
  // UTF-8 takes at most 3 bytes a UTF-16 unit: the exact count is made only where it can matter.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    throw new ContractError('too-large', `frame is larger than ${maxBytes} bytes`);
  }
  if (nestsDeeperThan(text, maxNesting)) {
    throw new ContractError('too-deep', `frame nests deeper than ${maxNesting}`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new ContractError('broken-json', 'frame is not JSON');
  }
}

/** Deepest nesting of a payload, its own object counted: a batch puts three levels around it. */
export const MAX_PAYLOAD_NESTING = MAX_NESTING - 3;

/** Whether a decoded value nests deeper than so many objects and arrays. */
export function nestsBelow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => nestsBelow(member, levels - 1));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The same of JSON text, by one scan. */
export function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      i = endOfString(text, i);
      if (i === -1) return false; // no JSON; the parser will say so
    } else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth -= 1;
  }
  return false;
}

/** Where the string that begins at `start` ends, or -1. Most of a frame is strings: to search is faster than to walk. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end; // an even number of backslashes: the quote is not escaped
  }
  return -1;
}

/** The `id` of a frame that failed to decode, if it has a readable one: what a `reject` names. */
export function readableId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  return typeof value.id === 'string' && value.id.length > 0 && value.id.length <= 128 ? value.id : null;
}
