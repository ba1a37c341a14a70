import type { Welcome } from '@bowline/messages';
import { describe, expect, it } from 'vitest';
import { afterEnd, atWelcome, culprit, NO_POISON, sendsSingly, type SuspectFrame } from './poison.ts';
import type { LinkEnd } from './reconnect.ts';

const closed = (code: number): LinkEnd => ({ kind: 'closed', code });
const one = (lane: SuspectFrame['lane'], seq: number): SuspectFrame => ({ lane, fromSeq: seq, toSeq: seq });
const batch: SuspectFrame = { lane: 'events', fromSeq: 7, toSeq: 11 };

type Link = [code: number, inFlight: SuspectFrame[], received: Welcome['received']];
/** Links that end, each followed by the next one's welcome. */
const after = (links: Link[]) =>
  links.reduce(
    (watch, [code, inFlight, received]) => atWelcome(afterEnd(watch, closed(code), inFlight), received),
    NO_POISON,
  );

describe('poison', () => {
  it('when the server closes for framing three times in a row on one message, that is the culprit', () => {
    const link = (code: number): Link => [code, [one('results', 4)], { results: 3 }];
    expect(culprit(after([link(1009), link(1007)]))).toBeUndefined();
    expect(culprit(after([link(1009), link(1007), link(1002)]))).toEqual({ lane: 'results', seq: 4 });
  });

  it('when others were sent before it and taken, the earliest that the server lacks is the culprit', () => {
    const link = (results: number): Link => [
      1009,
      [one('results', results), one('events', 9)],
      { results, events: 8 },
    ];
    expect(culprit(after([link(4), link(5), link(6)]))).toEqual({ lane: 'events', seq: 9 });
  });

  it('when it came in a batch first, the close on the batch counts', () => {
    const single: Link = [1009, [one('events', 9)], { events: 8 }];
    expect(culprit(after([[1009, [batch], { events: 6 }], single, single]))).toEqual({
      lane: 'events',
      seq: 9,
    });
  });

  it('when each close hit another message and the one before got through, none is the culprit', () => {
    const link = (seq: number): Link => [1002, [one('events', seq)], { events: seq - 1 }];
    const watch = after([4, 5, 6, 7, 8].map(link));
    expect([watch.closes, culprit(watch)]).toEqual([1, undefined]);
  });

  it('when the server has all that was in flight, nothing is suspected', () => {
    expect(after([[1009, [one('results', 4)], { results: 4 }]])).toEqual(NO_POISON);
  });

  it('when a link ends for another reason in between, the count begins anew', () => {
    const framing: Link = [1009, [one('results', 4)], { results: 3 }];
    expect(after([framing, framing, [1006, [one('results', 4)], { results: 3 }], framing]).closes).toBe(1);
    expect(afterEnd(after([framing]), { kind: 'failed' }, [one('results', 4)])).toEqual(NO_POISON);
  });

  it('when it was closed once, messages go out singly', () => {
    expect(sendsSingly(NO_POISON)).toBe(false);
    expect(sendsSingly(after([[1009, [batch], {}]]))).toBe(true);
  });
});
