import { describe, expect, it } from 'vitest';
import { afterEnd, culprit, NO_POISON, sendsSingly, type PoisonWatch, type Suspect } from './poison.ts';
import type { LinkEnd } from './reconnect.ts';

const first: Suspect = { lane: 'results', seq: 4 };
const other: Suspect = { lane: 'events', seq: 9 };
const closed = (code: number): LinkEnd => ({ kind: 'closed', code });
const after = (ends: [LinkEnd, { named?: Suspect; earliest?: Suspect }][]) =>
  ends.reduce<PoisonWatch>(
    (watch, [end, { named, earliest }]) => afterEnd(watch, end, { named, earliest }),
    NO_POISON,
  );

describe('poison', () => {
  it('when the server closes for framing three times in a row, the earliest that it lacks is the culprit', () => {
    const watch = after([1009, 1007, 1002].map((code) => [closed(code), { earliest: first }]));
    expect(culprit(watch, { results: 3 })).toEqual(first);
    expect(culprit(watch, { results: 4 })).toBeUndefined();
    expect(culprit(after([[closed(1009), { earliest: first }]]), {})).toBeUndefined();
  });

  it('when the reason names a message, that one is the culprit', () => {
    const watch = after([1, 2, 3].map(() => [closed(1009), { named: other, earliest: first }]));
    expect(culprit(watch, {})).toEqual(other);
  });

  it('when a link ends for another reason in between, the count begins anew', () => {
    const framing = [closed(1009), { earliest: first }] as [LinkEnd, { earliest: Suspect }];
    const watch = after([framing, framing, [{ kind: 'failed' }, { earliest: first }], framing]);
    expect(watch.closes).toBe(1);
    expect(culprit(watch, {})).toBeUndefined();
  });

  it('when it was closed once, messages go out singly', () => {
    expect(sendsSingly(NO_POISON)).toBe(false);
    expect(sendsSingly(after([[closed(1009), { earliest: first }]]))).toBe(true);
  });
});
