import type { Progress } from './command.ts';
import { beginning, capResult } from './outcome.ts';
import { utf8Bytes } from './utf8-bytes.ts';

/** Names, braces and percent. */
const MEMBERS_BYTES = 80;

/**
 * Progress that a frame of the link can carry, in size and in depth: as it is, or else with its note and its data cut, each to a
 * half and visibly (`…`, `truncated`).
 *
 * @param maxBytes of all of it as JSON in UTF-8.
 */
export function capProgress({ percent, note, data }: Progress, maxBytes: number): Progress {
  const half = Math.floor((maxBytes - MEMBERS_BYTES) / 2);
  return {
    ...(percent === undefined ? {} : { percent }),
    ...(note === undefined ? {} : { note: cutNote(note, half) }),
    ...(data === undefined ? {} : { data: capResult(data, half) as Record<string, unknown> }),
  };
}

const cutNote = (note: string, maxBytes: number): string =>
  utf8Bytes(JSON.stringify(note)) <= maxBytes ? note : `${beginning(note, maxBytes)}…`;
