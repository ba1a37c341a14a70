import { join } from 'node:path';
import { readJsonIfPresent } from '@bowline/runtime';
import type { DataFormat, DataFormats } from '../core/data-formats.ts';

/** What a tree of Bowline says of the data that it reads and writes; undefined: nothing that could be read. */
export function readDataFormats(root: string): DataFormats | undefined {
  const value = readJsonIfPresent(join(root, 'deploy', 'data-formats.json'));
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.values(value).every(isDataFormat) ? (value as DataFormats) : undefined;
}

const isDataFormat = (value: unknown): value is DataFormat =>
  typeof value === 'object' &&
  value !== null &&
  'reads' in value &&
  'writes' in value &&
  Number.isSafeInteger(value.reads) &&
  Number.isSafeInteger(value.writes);
