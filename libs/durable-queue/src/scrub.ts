import { closeSync, openSync, writeSync } from 'node:fs';
import { Environment, jsonOf, MergedRecords } from '@bowline/record-store';
import type { ClockReading } from './age-clock.ts';
import { carvedStore } from './carved-store.ts';
import { inspect } from './inspect.ts';
import { stateKey } from './keys.ts';
import { currentState, SCHEMA_VERSION } from './migrations.ts';
import { mend, renumber, type Rebuilt } from './rebuild.ts';
import { newState, type StoreState } from './state.ts';

/** The clocks of the process that asks, so that the child needs none. */
export interface Readings {
  now: ClockReading;
  wallMs: number;
}

/** `newer`: the schema of a store that a newer program wrote: it is left alone. */
export type RebuildAnswer = Pick<Rebuilt, 'lost'> | { newer: number };

/**
 * The part of opening a store that may abort (LMDB believes what it reads), for a process of its own. Its arguments are
 * `inspect FILE`, `mend FILE NEXT READINGS` or `salvage FILE NEXT READINGS`; its answer is one JSON object on standard
 * output.
 */
export async function scrub(args: readonly string[]): Promise<void> {
  writeSync(1, JSON.stringify(await perform(args)));
}

async function perform([task, file = '', next = '', readings = '{}']: readonly string[]): Promise<unknown> {
  if (task === 'inspect') return inspect(file);
  const { now, wallMs } = JSON.parse(readings) as Readings;
  const to = Environment.open(next);
  const answer = await (task === 'mend' ? mendFile : salvageFile)(file, to, now, () => wallMs);
  await to.close();
  return answer;
}

async function mendFile(
  file: string,
  to: Environment,
  now: ClockReading,
  wallMs: () => number,
): Promise<RebuildAnswer> {
  const tree = Environment.open(file, { readOnly: true });
  const stored = stateIn(tree);
  if (stored === undefined) throw new Error('no state to mend by');
  const handle = openSync(file, 'r');
  try {
    const from = new MergedRecords(tree, carvedStore(handle));
    const { lost } = await mend({ from, to, state: currentState(stored), now, wallMs });
    return { lost };
  } finally {
    closeSync(handle);
    await tree.close();
  }
}

async function salvageFile(
  file: string,
  to: Environment,
  now: ClockReading,
  wallMs: () => number,
): Promise<RebuildAnswer> {
  const handle = openSync(file, 'r');
  try {
    const from = carvedStore(handle);
    const stored = stateIn(from);
    if (stored !== undefined && stored.schema > SCHEMA_VERSION) return { newer: stored.schema };
    const state = stored === undefined ? newState(now) : currentState(stored);
    const { lost } = await renumber({ from, to, state, now, wallMs, tell: true });
    return { lost };
  } finally {
    closeSync(handle);
  }
}

/** In the form in which it is stored, which may be another version's. */
function stateIn(from: Pick<Environment, 'get'>): StoreState | undefined {
  const record = from.get(stateKey());
  return record === undefined ? undefined : jsonOf<StoreState>(stateKey(), record);
}
