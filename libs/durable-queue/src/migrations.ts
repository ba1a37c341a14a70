import { ConfigError } from '@bowline/runtime/errors';
import { LANES } from './lanes.ts';
import type { LaneCounters, StoreState } from './state.ts';

/** A state of an older version: who migrates it knows what its form was. */
type OlderState = Pick<StoreState, 'schema'> & Record<string, unknown>;

/**
 * From version 1 on, what makes the next version of the state out of one. A migration changes the state alone and in memory:
 * the first transaction writes it, so that a crash leaves the old form or the new one, and doing it again is no harm. A
 * version that changes other records goes by copy into `next.mdb`, as repair does.
 */
const MIGRATIONS: readonly ((older: OlderState) => OlderState)[] = [knowWhatWasOffered, numberAsStored];

/** Version of everything in the file. A store of a newer one is refused, an older one is migrated. */
export const SCHEMA_VERSION = 1 + MIGRATIONS.length;

/**
 * A state in the form of this version.
 *
 * @throws ConfigError `store-newer`: only the program that wrote it, or a later one, knows what it means.
 */
export function currentState(stored: Pick<StoreState, 'schema'>): StoreState {
  if (stored.schema > SCHEMA_VERSION) throw storeNewer(stored.schema);
  const due = MIGRATIONS.slice(stored.schema - 1);
  const state = due.reduce((older, migrate) => migrate(older), stored as OlderState);
  return { ...(state as unknown as StoreState), schema: SCHEMA_VERSION };
}

export const storeNewer = (schema: number): ConfigError =>
  new ConfigError(
    'store-newer',
    `the store has schema ${schema}, this program knows ${SCHEMA_VERSION}: install the newer one again`,
  );

/** Version 1 did not always keep how far lanes were offered: everything in them may have been sent. */
function knowWhatWasOffered(older: OlderState): OlderState {
  const lanes = structuredClone(older['lanes']) as StoreState['lanes'];
  for (const lane of LANES) {
    const counters: Omit<LaneCounters, 'offered'> & { offered?: number } = lanes[lane];
    counters.offered ??= counters.next - 1;
  }
  return { ...older, lanes };
}

/** Up to version 2 what was numbered anew was written anew. */
function numberAsStored(older: OlderState): OlderState {
  return { ...older, numbering: {} };
}
