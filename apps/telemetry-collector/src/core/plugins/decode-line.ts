import type { GivenEvent, GivenSample } from '../../bodies.ts';
import { decodeEvent } from '../ingest/decode-event.ts';
import { decodeSamples } from '../ingest/decode-samples.ts';

export type PluginLine = { samples: GivenSample[] } | { event: GivenEvent };

const MOST_SAMPLES = 1000;

/**
 * One line that a plug-in prints: a sample, a list of them, or an event (it has a `kind`).
 *
 * @throws ContractError `broken-json`, `invalid`, `too-many-samples`, `too-deep`.
 */
export function decodeLine(line: string): PluginLine {
  return hasKind(line)
    ? { event: decodeEvent(line) }
    : { samples: decodeSamples(line, 'json', MOST_SAMPLES) };
}

function hasKind(line: string): boolean {
  // Most lines are samples: those are read once.
  if (!line.includes('"kind"')) return false;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && 'kind' in value;
  } catch {
    return false;
  }
}
