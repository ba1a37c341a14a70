import type { History } from '@bowline/messages';
import { gunzip } from 'node:zlib';
import { promisify } from 'node:util';

const unzip = promisify(gunzip);

/** No device packs more into one part: what claims to is spoilt. */
const LARGEST_PART_BYTES = 8 * 2 ** 20;

/** What a device has answered to one `historyRequest`, as far as it is here. */
export interface HistoryAnswer {
  /** The last part is here, and every one before it. */
  complete: boolean;
  parts: number;
  /** Numbers below the highest that are not here: not come yet, or no longer kept. */
  missing: number[];
  /** Numbers of parts whose content is no JSON array. */
  spoilt: number[];
  /** Of a part after the other. */
  items: unknown[];
}

/** @param parts by number; where a part came twice, the later one */
export async function joinParts(parts: ReadonlyMap<number, History>): Promise<HistoryAnswer> {
  const numbers = [...parts.keys()].toSorted((a, b) => a - b);
  const highest = numbers.at(-1) ?? -1;
  const last = numbers.find((number) => parts.get(number)?.last === true);
  const answer: HistoryAnswer = {
    complete: false,
    parts: numbers.length,
    missing: [],
    spoilt: [],
    items: [],
  };
  for (let number = 0, at = 0; number <= highest && answer.missing.length < 1000; number += 1) {
    if (numbers[at] === number) at += 1;
    else answer.missing.push(number);
  }
  for (const number of numbers) {
    const part = parts.get(number);
    const items = part === undefined ? undefined : await itemsOf(part);
    if (items === undefined) answer.spoilt.push(number);
    else for (const item of items) answer.items.push(item);
  }
  answer.complete =
    last === highest && last !== undefined && answer.missing.length + answer.spoilt.length === 0;
  return answer;
}

async function itemsOf({ encoding, data }: History): Promise<unknown[] | undefined> {
  try {
    const items: unknown =
      encoding === 'json'
        ? data
        : JSON.parse(
            (
              await unzip(Buffer.from(String(data), 'base64'), { maxOutputLength: LARGEST_PART_BYTES })
            ).toString(),
          );
    return Array.isArray(items) ? items : undefined;
  } catch {
    return undefined;
  }
}
