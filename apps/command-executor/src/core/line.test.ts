import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Concurrency } from './command.ts';
import { nextInLine, type Place } from './line.ts';

const place = (name: string, concurrency: Concurrency = 'shared'): Place => ({ name, concurrency });

describe('the line of orders', () => {
  test('when there is room, the first begins', () => {
    expect(nextInLine([place('a'), place('b')], [place('c')], 2)).toEqual(place('a'));
    expect(nextInLine([place('a')], [place('b'), place('c')], 2)).toBe(undefined);
  });

  test('when one of its name runs, a per-name order lets others pass', () => {
    const waiting = [place('a', 'per-name'), place('b')];
    expect(nextInLine(waiting, [place('a', 'per-name')], 9)).toEqual(place('b'));
  });

  test('when an exclusive order is next, it waits until nothing runs and nothing overtakes it', () => {
    const waiting = [place('x', 'exclusive'), place('b')];
    expect(nextInLine(waiting, [place('a')], 9)).toBe(undefined);
    expect(nextInLine(waiting, [], 9)).toEqual(place('x', 'exclusive'));
    expect(nextInLine([place('b')], [place('x', 'exclusive')], 9)).toBe(undefined);
  });

  test('when any orders come and end in any order, the classes hold and everybody gets his turn', () => {
    const anyPlace = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      concurrency: fc.constantFrom<Concurrency>('shared', 'per-name', 'exclusive'),
    });
    fc.assert(
      fc.property(fc.array(anyPlace, { maxLength: 40 }), fc.infiniteStream(fc.nat(7)), (orders, choices) => {
        const waiting = [...orders];
        const running: Place[] = [];
        for (let ended = 0; ended < orders.length; ended += 1) {
          for (;;) {
            const next = nextInLine(waiting, running, 4);
            if (next === undefined) break;
            waiting.splice(waiting.indexOf(next), 1);
            running.push(next);
            const isExclusive = running.some(({ concurrency }) => concurrency === 'exclusive');
            expect(running.length).toBeLessThanOrEqual(isExclusive ? 1 : 4);
            const alone = running
              .filter(({ concurrency }) => concurrency === 'per-name')
              .map(({ name }) => name);
            expect(new Set(alone).size).toBe(alone.length);
          }
          // Something runs as long as something waits: nothing is stuck.
          expect(running.length).toBeGreaterThan(0);
          running.splice((choices.next().value ?? 0) % running.length, 1);
        }
        expect([waiting, running]).toEqual([[], []]);
      }),
    );
  });
});
