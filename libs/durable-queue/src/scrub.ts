import { closeSync, openSync, writeSync } from 'node:fs';
import { Environment, jsonOf, MergedRecords } from '@bowline/record-store';
import type { ClockReading } from './age-clock.ts';
import { carvedStore } from './carved-store.ts';
import { inspect } from './inspect.ts';
import { stateKey } from './keys.ts';
import { mend, renumber, type Rebuilt } from './rebuild.ts';
import { newState, SCHEMA_VERSION, type StoreState } from './state.ts';

/** The clocks of the process that asks, so that the child needs none. */
export interface Readings {
  now: ClockReading;
  wallMs: number;
}

export type RebuildAnswer = Pick<Rebuilt, 'lost'>;

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
  const { lost } = await (task === 'mend' ? mendFile : salvageFile)(file, to, now, () => wallMs);
  await to.close();
  return { lost } satisfies RebuildAnswer;
}

async function mendFile(
  file: string,
  to: Environment,
  now: ClockReading,
  wallMs: () => number,
): Promise<Rebuilt> {
  const tree = Environment.open(file, { readOnly: true });
  const state = stateIn(tree);
  if (state === undefined) throw new Error('no state to mend by');
  const handle = openSync(file, 'r');
  try {
    const from = new MergedRecords(tree, carvedStore(handle));
    return await mend({ from, to, state, now, wallMs });
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
): Promise<Rebuilt> {
  const handle = openSync(file, 'r');
  try {
    const from = carvedStore(handle);
    const found = stateIn(from);
    const state = found?.schema === SCHEMA_VERSION ? found : newState(now);
    return await renumber({ from, to, state, now, wallMs, tell: true });
  } finally {
    closeSync(handle);
  }
}

function stateIn(from: Pick<Environment, 'get'>): StoreState | undefined {
  const record = from.get(stateKey());
  return record === undefined ? undefined : jsonOf<StoreState>(stateKey(), record);
}
