import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '@bowline/testing';
import type { Processes } from './processes.ts';

/** What every benchmark is given. */
export interface BenchContext {
  /** A new private folder on a disk, removed after the run; its path is short, since sockets lie in it. */
  folder: string;
  processes: Processes;
  random: SeededRandom;
  /** Large amounts: takes many minutes. */
  large: boolean;
  /** Tells the person what is going on. */
  say(line: string): void;
}

/** A new folder of this run. */
export function folderIn({ folder }: Pick<BenchContext, 'folder'>, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700, recursive: true });
  return path;
}

/** A seed for a worker, so that each makes other messages and all of them again in a repeated run. */
export const workerSeed = (random: SeededRandom): number => random.integer(1, 2 ** 31);
