/**
 * The part of opening a store that may abort, in a process of its own (LMDB believes what it reads):
 * `inspect FILE`, `mend FILE NEXT READINGS` or `salvage FILE NEXT READINGS`; the answer is one JSON object on standard
 * output. A bundled program has this as an entry of its own, beside its main file and named `scrub.js`.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { ClockReading } from './age-clock.ts';
import { CarvedRecords } from './carve.ts';
import { Environment } from './environment.ts';
import { inspect } from './inspect.ts';
import { stateKey } from './keys.ts';
import { jsonOf } from './record.ts';
import { mend, renumber, type Rebuilt } from './rebuild.ts';
import { newState, SCHEMA_VERSION, type StoreState } from './state.ts';

/** The clocks of the process that asks, so that the child needs none. */
export interface Readings {
  now: ClockReading;
  wallMs: number;
}

export type RebuildAnswer = Pick<Rebuilt, 'lost'>;

const [, , task, file = '', next = '', readings = '{}'] = process.argv;
const answer = await perform();
writeSync(1, JSON.stringify(answer));

async function perform(): Promise<unknown> {
  if (task === 'inspect') return inspect(file);
  const { now, wallMs } = JSON.parse(readings) as Readings;
  const to = Environment.open(next);
  const { lost } = await (task === 'mend' ? mendFile : salvageFile)(to, now, () => wallMs);
  await to.close();
  return { lost } satisfies RebuildAnswer;
}

async function mendFile(to: Environment, now: ClockReading, wallMs: () => number): Promise<Rebuilt> {
  const from = Environment.open(file, { readOnly: true });
  const state = stateIn(from);
  if (state === undefined) throw new Error('no state to mend by');
  return mend({ from, to, state, now, wallMs });
}

async function salvageFile(to: Environment, now: ClockReading, wallMs: () => number): Promise<Rebuilt> {
  const handle = openSync(file, 'r');
  try {
    const from = new CarvedRecords(handle);
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
