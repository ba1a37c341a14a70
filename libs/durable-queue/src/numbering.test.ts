import fc from 'fast-check';
import { expect, test } from 'vitest';
import { numberAnew, placeOf, seqOf } from './numbering.ts';
import { encodeSegment } from './segment.ts';
import { newState } from './state.ts';

const counters = newState({ bootId: 'one', monotonicMs: 0 }).lanes.events;
const segments = fc.array(fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }), { maxLength: 12 });

test('when a lane with holes anywhere is numbered anew, its messages have the seqs from 1, and each seq its place', () => {
  fc.assert(
    fc.property(segments, fc.nat(1000), (lane, start) => {
      const there = lane.flat();
      const first = start + Math.max(0, there.indexOf(true)) + 1;
      const next = start + there.length + 1;
      let place = start + 1;
      const records = lane.map((items) => {
        const texts = items.map((isThere) => (isThere ? '{}' : undefined));
        const made = encodeSegment('events', place, texts, items.map(Number), { ageMs: 0, commit: 1 });
        place += items.length;
        return made;
      });
      const held = there.flatMap((isThere, index) => (isThere ? [start + 1 + index] : []));
      const views = () => records.values();
      const state = { ...counters, first: held.length === 0 ? next : first, next, messages: held.length };
      const numbers = numberAnew({ views } as unknown as Parameters<typeof numberAnew>[0], 'events', state);
      expect(held.map((each) => seqOf(numbers, each))).toEqual(held.map((_, n) => n + 1));
      expect(held.map((_, n) => placeOf(numbers, n + 1))).toEqual(held);
      // What is added goes on from there, and what lies below was unknown as Parameters<typeof numberAnew>[0] numbered.
      expect([seqOf(numbers, next), seqOf(numbers, next + 5)]).toEqual([held.length + 1, held.length + 6]);
      expect(placeOf(numbers, held.length + 3)).toBe(next + 2);
      expect(seqOf(numbers, (held[0] ?? next) - 1)).toBe(0);
    }),
  );
});
