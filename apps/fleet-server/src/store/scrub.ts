import { writeSync } from 'node:fs';
import { Environment } from '@bowline/record-store';
import { GroupCommitStore, inNewEpoch, noteIncident, type RememberedStore } from '@bowline/server-sdk/store';
import type { ServerIncident } from '@bowline/messages';
import { inspect, type StoreInspection } from './inspect.ts';
import { framed, LmdbBackend } from './lmdb-backend.ts';
import { rebuild, type RebuildFacts } from './rebuild.ts';
import { migrateVersion1 } from './version-1.ts';

/** What the child does, by its first argument; the others are in its second, as JSON. */
export interface ScrubTasks {
  inspect: { file: string };
  /** Copies a store of version 1. */
  migrate: { file: string; next: string };
  rebuild: RebuildFacts & { file: string; next: string };
  /** Copies what a sound store holds into a smaller file. */
  compact: { file: string; next: string };
  /** Makes a store of a copy of LMDB's, in a new epoch if it is to take another's place. */
  finish: { file: string; restored?: { incident: ServerIncident; remembered?: RememberedStore } };
}
export interface ScrubAnswers {
  inspect: StoreInspection;
  migrate: { unreadable: number };
  rebuild: ServerIncident;
  compact: StoreInspection;
  finish: StoreInspection;
}
export type ScrubTask = keyof ScrubTasks;

/** The part of opening a store that may abort (LMDB believes what it reads), in a process of its own. */
export async function scrub([task = '', facts = '{}']: readonly string[]): Promise<void> {
  writeSync(1, JSON.stringify(await perform(task as ScrubTask, JSON.parse(facts))));
}

async function perform(task: ScrubTask, facts: unknown): Promise<unknown> {
  switch (task) {
    case 'inspect':
      return inspect((facts as ScrubTasks['inspect']).file);
    case 'migrate': {
      const { file, next } = facts as ScrubTasks['migrate'];
      return migrateVersion1(file, next);
    }
    case 'rebuild': {
      const { file, next, ...rest } = facts as ScrubTasks['rebuild'];
      return rebuild(file, next, rest);
    }
    case 'compact': {
      const { file, next } = facts as ScrubTasks['compact'];
      const env = Environment.open(file, { readOnly: true });
      await env.copyTo(next);
      await env.close();
      return finish(next);
    }
    case 'finish': {
      const { file, restored } = facts as ScrubTasks['finish'];
      return finish(file, restored);
    }
  }
}

const FINISHED = 'meta/copied';

/** A copy of LMDB's has used one of its two root pages only: it takes a transaction more to look like any other store. */
async function finish(file: string, restored?: ScrubTasks['finish']['restored']): Promise<StoreInspection> {
  const copy = Environment.open(file);
  await copy.commit(new Map([[FINISHED, framed(FINISHED, [Buffer.from('{}')], 1)]]));
  await copy.close();
  const inspection = await inspect(file);
  if (inspection.verdict !== 'sound' || restored === undefined) return inspection;

  const store = new GroupCommitStore(new LmdbBackend(file, inspection));
  await store.write([inNewEpoch(store, restored.remembered), noteIncident(store, restored.incident)]);
  await store.close();
  return inspect(file);
}
