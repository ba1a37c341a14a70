import { closeSync, openSync } from 'node:fs';
import {
  CarvedRecords,
  Chunk,
  copyRange,
  Environment,
  MergedRecords,
  openRecord,
  type Entry,
  type SourceRecords,
} from '@bowline/record-store';
import { GroupCommitStore, repair, type RepairFacts } from '@bowline/server-sdk/store';
import type { ServerIncident } from '@bowline/messages';
import { EVERYTHING } from './inspect.ts';
import { isWhole, LmdbBackend, textOf } from './lmdb-backend.ts';

/** Of these an older or a deleted form must not come back: who was shut out, or what was spent, would be good again. */
const NEVER_CARVED = ['jti/', 'enrolment-', 'operator'];

export interface RebuildFacts extends Omit<RepairFacts, 'unreadable' | 'replaced'> {
  /** Whether the tree can be walked; else records are looked for wherever they lie. */
  byTree: boolean;
}

/**
 * Copies what can be read of a damaged store into a new file, makes that whole by {@link repair}, and says what is lost.
 *
 * @returns the incident, which is in the new store as well.
 */
export async function rebuild(file: string, next: string, facts: RebuildFacts): Promise<ServerIncident> {
  const handle = openSync(file, 'r');
  const to = Environment.open(next);
  const copied = { lastCommit: 0, unreadable: [] as string[], replaced: [] as string[] };
  try {
    const carved = new CarvedRecords(handle);
    const tree = facts.byTree ? Environment.open(file, { readOnly: true }) : undefined;
    const chunk = new Chunk(to);
    await copyRange(
      sourceOf(tree, carved, copied.replaced),
      EVERYTHING.from,
      EVERYTHING.to,
      chunk,
      (key, record) => {
        const opened = openRecord(record);
        if (opened?.key.equals(key) !== true) copied.unreadable.push(textOf(key));
        else {
          chunk.put(key, record);
          copied.lastCommit = Math.max(copied.lastCommit, opened.commit);
        }
      },
    );
    await chunk.flush();
    await tree?.close();
  } finally {
    closeSync(handle);
    await to.close();
  }
  const { lastCommit, unreadable, replaced } = copied;
  const store = new GroupCommitStore(new LmdbBackend(next, { lastCommit }));
  try {
    return await repair(store, { ...facts, unreadable, replaced });
  } finally {
    await store.close();
  }
}

function sourceOf(tree: Environment | undefined, carved: CarvedRecords, replaced: string[]): SourceRecords {
  carved.drop([...carved.keys()].filter((key) => NEVER_CARVED.some((kind) => textOf(key).startsWith(kind))));
  if (tree === undefined) return carved;
  // With all its keys in place, what else lies about in the file was deleted.
  return isComplete(tree) ? new Mended(tree, carved, replaced) : new MergedRecords(tree, carved);
}

function isComplete(tree: Environment): boolean {
  let found = 0;
  for (const _ of tree.views(EVERYTHING.from, EVERYTHING.to)) found += 1;
  return found === tree.stats().entries;
}

/** The records of a tree; a damaged one is replaced by its youngest form elsewhere in the file. */
class Mended implements SourceRecords {
  readonly #tree: SourceRecords;
  readonly #carved: SourceRecords;
  readonly #replaced: string[];

  constructor(tree: SourceRecords, carved: SourceRecords, replaced: string[]) {
    this.#tree = tree;
    this.#carved = carved;
    this.#replaced = replaced;
  }

  get(key: Buffer): Buffer | undefined {
    const record = this.#tree.get(key);
    return record && this.#mended({ key, record }).record;
  }

  *range(from: Buffer, to: Buffer): Generator<Entry> {
    for (const entry of this.#tree.range(from, to)) yield this.#mended(entry);
  }

  #mended({ key, record }: Entry): Entry {
    if (isWhole(key, record)) return { key, record };
    const other = this.#carved.get(key);
    if (other !== undefined) this.#replaced.push(textOf(key));
    return { key, record: other ?? record };
  }
}
