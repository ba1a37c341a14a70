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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (inString) {
      if (unit === BACKSLASH) i += 1;
      else if (unit === QUOTE) inString = false;
    } else if (unit === QUOTE) inString = true;
    else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (unit === 0x7d || unit === 0x5d) depth -= 1;
  }
  return false;
}

/** The `id` of a frame that failed to decode, if it has a readable one: what a `reject` names. */
export function readableId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  return typeof value.id === 'string' && value.id.length > 0 && value.id.length <= 128 ? value.id : null;
}
