import { existsSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StoreFiles } from '@bowline/record-store';
import { ConfigError, hasCode, InternalError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import type { Clock, Logger } from '@bowline/runtime';
import { GroupCommitStore, ServerIdentity, type RememberedStore } from '@bowline/server-sdk/store';
import { tendBallast } from './ballast.ts';
import type { StoreInspection } from './inspect.ts';
import { LmdbBackend } from './lmdb-backend.ts';
import { inChild, mustInChild } from './scrub-child.ts';
import { VERSION_1_FILE } from './version-1.ts';

/** What is worth making a smaller file of. While it is copied the server does not serve. */
export interface CompactionLimits {
  /** A file below this is left alone, bytes. */
  smallestFile: number;
  /** So is one that holds more than this, bytes. */
  largestContent: number;
}

/** And a file that is not this many times what it holds. */
const WORTHWHILE_FACTOR = 2;

export interface OpenStoreOptions {
  stateDir: string;
  commitDeadlineMs: number;
  compaction: CompactionLimits;
  clock: Clock;
  log: Logger;
}

export interface OpenedStore {
  store: GroupCommitStore;
  backend: LmdbBackend;
  files: StoreFiles;
  identity: ServerIdentity;
}

export const storeFiles = (stateDir: string): StoreFiles => new StoreFiles(join(stateDir, 'store'));

/**
 * Opens the server's store: checked to its last record by a child process, a damaged one replaced by what can be saved of
 * it, an older one migrated, one with much free room in it made smaller. Whatever is made is made beside the store and takes
 * its place by one rename; a crash at any moment of this leaves the one or the other.
 *
 * @throws ConfigError `store-newer`. InternalError `store-check-failed`.
 */
export async function openStore(options: OpenStoreOptions): Promise<OpenedStore> {
  const { stateDir, clock, log, commitDeadlineMs } = options;
  const files = storeFiles(stateDir);
  files.prepare();
  tendBallast(files.ballast, Infinity);
  const remembered = readRemembered(stateDir);
  await migrate(files, log);
  const { lastCommit } = existsSync(files.current)
    ? await makeSound(files, remembered, options)
    : await createStore(files, clock, remembered);
  const backend = new LmdbBackend(files.current, {
    lastCommit,
    commitDeadlineMs,
    onDamage: (key) => log.error({ key }, 'a record is damaged: it counts as absent'),
  });
  const store = new GroupCommitStore(backend, { clock, commitDeadlineMs });
  try {
    const identity = await ServerIdentity.load(store, clock, remembered);
    remember(stateDir, identity);
    return { store, backend, files, identity };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A store exists from the moment at which it is complete. */
async function createStore(
  files: StoreFiles,
  clock: Clock,
  remembered: RememberedStore | undefined,
): Promise<{ lastCommit: number }> {
  const backend = new LmdbBackend(files.next);
  const store = new GroupCommitStore(backend, { clock });
  try {
    await ServerIdentity.load(store, clock, remembered);
  } finally {
    await store.close();
  }
  files.promoteNext();
  return backend;
}

/** @returns what the check said of the store as it is now. */
async function makeSound(
  files: StoreFiles,
  remembered: RememberedStore | undefined,
  { log, clock, compaction }: OpenStoreOptions,
): Promise<StoreInspection> {
  const inspection = await inspectInChild(files.current);
  if (inspection.verdict === 'newer') {
    const sentence = `the store was written by a newer fleet-server (${inspection.detail}): install that one again, or restore a backup of before`;
    throw new ConfigError('store-newer', sentence);
  }
  if (inspection.verdict === 'sound')
    return (await compact(files, inspection, compaction, log)) ?? inspection;

  log.error({ detail: inspection.detail }, 'the store is damaged: saving what can be read of it');
  const facts = {
    file: files.current,
    next: files.next,
    wallMs: clock.wallMs(),
    detail: `${inspection.detail}; the damaged file is kept as ${files.quarantine}`,
    ...(remembered === undefined ? {} : { remembered }),
  };
  const byTree = inspection.verdict === 'damaged';
  const first = byTree ? (await inChild('rebuild', { ...facts, byTree })).answer : undefined;
  if (first === undefined) files.removeNext();
  const incident = first ?? (await mustInChild('rebuild', { ...facts, byTree: false }));
  const saved = await inspectInChild(files.next);
  if (saved.verdict !== 'sound') {
    throw new InternalError('store-check-failed', `a damaged store could not be saved: ${saved.detail}`);
  }
  files.quarantineCurrent();
  files.promoteNext();
  const { message, lost, lostInAll } = incident;
  log.error({ lost, lostInAll, quarantine: files.quarantine }, `${message}; a new serverEpoch begins`);
  return saved;
}

/** A child that dies of what it reads is an answer too. */
async function inspectInChild(file: string): Promise<StoreInspection> {
  const outcome = await inChild('inspect', { file });
  if (outcome.answer !== undefined) return outcome.answer;
  const detail = `reading it ends a process: ${outcome.death}`;
  return { verdict: 'unreadable', detail, lastCommit: 0, usedBytes: 0 };
}

async function migrate(files: StoreFiles, log: Logger): Promise<void> {
  const old = join(files.folder, VERSION_1_FILE);
  if (!existsSync(old)) return;
  if (!existsSync(files.current)) {
    const { unreadable } = await mustInChild('migrate', { file: old, next: files.next });
    files.promoteNext();
    log.info({ unreadable }, 'the store was migrated from version 1');
  }
  for (const file of [old, `${old}-lock`]) rmSync(file, { force: true });
}

/** A copy that does not succeed (a full disk, as a rule) leaves everything as it was. */
async function compact(
  files: StoreFiles,
  { usedBytes }: StoreInspection,
  { smallestFile, largestContent }: CompactionLimits,
  log: Logger,
): Promise<StoreInspection | undefined> {
  const fileBytes = statSync(files.current).size;
  const { bavail, bsize } = statfsSync(files.folder);
  const isWorthwhile = fileBytes >= smallestFile && fileBytes >= WORTHWHILE_FACTOR * usedBytes;
  if (!isWorthwhile || usedBytes > largestContent || bavail * bsize < 2 * usedBytes) return undefined;
  const { answer } = await inChild('compact', { file: files.current, next: files.next });
  if (answer?.verdict !== 'sound') {
    files.removeNext();
    return undefined;
  }
  files.promoteNext();
  log.info({ fileBytes, nowBytes: statSync(files.current).size }, 'the file of the store was made smaller');
  return answer;
}

const rememberedFile = (stateDir: string): string => join(stateDir, 'store-identity.json');

function readRemembered(stateDir: string): RememberedStore | undefined {
  try {
    return JSON.parse(readFileIfPresent(rememberedFile(stateDir)) ?? '') as RememberedStore;
  } catch {
    return undefined; // absent, or spoilt: the store itself knows as well
  }
}

/** Outside of the store, so that a store that is new, or an older state of it, is known to be one. */
export function remember(stateDir: string, { serverId, starts }: RememberedStore): void {
  try {
    writeFileDurably(rememberedFile(stateDir), `${JSON.stringify({ serverId, starts })}\n`);
  } catch (error) {
    // The store itself may be ahead of it: the next start on a disk with room writes it.
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
  }
}
