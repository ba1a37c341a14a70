import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** In a fixed order; a machine without such a folder has no such things. */
export async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).toSorted();
  } catch {
    return [];
  }
}

/** A sensor that is asleep or broken answers with an error: then it has no value. */
export async function read(...path: [string, ...string[]]): Promise<string | undefined> {
  try {
    return (await readFile(join(...path), 'utf8')).trim();
  } catch {
    return undefined;
  }
}

/** A whole number, or undefined: what is no number is no value. */
export async function readNumber(...path: [string, ...string[]]): Promise<number | undefined> {
  const text = await read(...path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}
