import type { Lane } from '@bowline/messages';
import { LANES } from './lanes.ts';

/**
 * Keys of the one root database: a prefix byte says what the record is, numbers follow in big-endian order so that keys
 * sort as their numbers do. (Named sub-databases would cost pages of their own in every commit.)
 */
export const PREFIX = {
  state: 'a',
  segment: 's',
  order: 'j',
  recent: 'r',
  unfinished: 'o',
  dead: 'd',
  meta: 'm',
  config: 'c',
} as const;
export type Prefix = keyof typeof PREFIX;

export const stateKey = (): Buffer => Buffer.from(PREFIX.state);

/** @param firstSeq seq of the first message of the segment. */
export const segmentKey = (lane: Lane, firstSeq: number): Buffer =>
  numbered(`${PREFIX.segment}${String.fromCharCode(LANES.indexOf(lane))}`, firstSeq);

/** The lane and first seq that a segment's key names. */
export function parseSegmentKey(key: Buffer): { lane: Lane | undefined; firstSeq: number } {
  return { lane: LANES[key[1] ?? 0xff], firstSeq: readNumber(key, 2) };
}

export const orderKey = (orderId: string): Buffer => Buffer.from(PREFIX.order + orderId);
/** @param number place of the order in the journal, counted up from 0. */
export const recentKey = (number: number): Buffer => numbered(PREFIX.recent, number);
/** Sorts by seq; the number tells two orders of the same seq (from two server epochs) apart. */
export const unfinishedKey = (seq: number, number: number): Buffer =>
  numbered(PREFIX.unfinished, seq, number);
export const deadKey = (number: number): Buffer => numbered(PREFIX.dead, number);
export const metaKey = (name: string): Buffer => Buffer.from(PREFIX.meta + name);

export const configKey = (name: string): Buffer => Buffer.from(PREFIX.config + name);

/** The number that a key of {@link recentKey} or {@link deadKey} holds. */
export const numberOfKey = (key: Buffer): number => readNumber(key, 1);

/** All keys with a prefix lie in [from, to). */
export function keysOf(prefix: Prefix): { from: Buffer; to: Buffer } {
  const letter = PREFIX[prefix];
  return { from: Buffer.from(letter), to: Buffer.from(String.fromCharCode(letter.charCodeAt(0) + 1)) };
}

function numbered(prefix: string, ...numbers: number[]): Buffer {
  const key = Buffer.alloc(prefix.length + 8 * numbers.length);
  key.write(prefix, 'latin1');
  numbers.forEach((number, index) => {
    const at = prefix.length + 8 * index;
    key.writeUInt32BE(Math.floor(number / 2 ** 32), at);
    key.writeUInt32BE(number % 2 ** 32, at + 4);
  });
  return key;
}

function readNumber(key: Buffer, at: number): number {
  return key.length < at + 8 ? Number.NaN : key.readUInt32BE(at) * 2 ** 32 + key.readUInt32BE(at + 4);
}
