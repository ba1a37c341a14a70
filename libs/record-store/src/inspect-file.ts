import { closeSync, openSync } from 'node:fs';
import { Environment } from './environment.ts';
import { freeListIsSound } from './free-list.ts';
import { metaPagesAreSound } from './meta-pages.ts';

/**
 * - `sound`: everything in it can be relied on;
 * - `damaged`: its tree can be walked;
 * - `unreadable`: not even that.
 */
export interface FileInspection {
  verdict: 'sound' | 'damaged' | 'unreadable';
  /** The first thing that was wrong. */
  detail: string;
}

/**
 * Looks through a file that nobody has open: at LMDB's own pages, and by `look` at all records. May end the process: LMDB
 * believes what it reads, so this belongs into a child.
 */
export async function inspectFile<T extends { verdict: string; detail: string }>(
  file: string,
  look: (env: Environment) => T,
): Promise<T | FileInspection> {
  const unreadable = (detail: string): FileInspection => ({ verdict: 'unreadable', detail });
  const handle = openSync(file, 'r');
  let freeList: boolean;
  try {
    if (!metaPagesAreSound(handle)) return unreadable('the pages that hold the root are damaged');
    freeList = freeListIsSound(handle);
  } finally {
    closeSync(handle);
  }
  let env: Environment;
  try {
    env = Environment.open(file, { readOnly: true });
  } catch (error) {
    return unreadable(`cannot be opened: ${String(error)}`);
  }
  try {
    const found = look(env);
    if (found.verdict !== 'sound' || freeList) return found;
    return { ...found, verdict: 'damaged', detail: 'the list of free pages is damaged' };
  } catch (error) {
    return unreadable(`cannot be read to its end: ${String(error)}`);
  } finally {
    await env.close();
  }
}
