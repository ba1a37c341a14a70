import { createHash } from 'node:crypto';
import { TransientError } from '@bowline/runtime/errors';
import { describe, expect, test } from 'vitest';
import { BEGINNING, type HistorySource } from './item.ts';
import { sendParts, type PartsDesk } from './send-parts.ts';

const signal = new AbortController().signal;
const START = { part: 0, cursor: BEGINNING, bytes: 0, items: 0 };

/** So many lines that hardly pack, and whether whoever reads them is still at it. */
function noise(lines: number) {
  const texts = Array.from({ length: lines }, (_, n) =>
    JSON.stringify(createHash('sha512').update(`${n}`).digest('base64')),
  );
  const state = { isOpen: false };
  const source: Pick<HistorySource, 'items'> = {
    async *items() {
      state.isOpen = true;
      try {
        for (const [at, text] of texts.entries()) yield await Promise.resolve({ at, text, groupIndex: 0 });
      } finally {
        state.isOpen = false;
      }
    },
  };
  return { source: source as HistorySource, state, bytes: texts.join(',').length + 2 };
}
const desk = (more: Partial<PartsDesk> = {}): PartsDesk => ({
  room: () => Promise.resolve(),
  note: () => {},
  send: () => Promise.resolve(),
  ...more,
});

describe('sendParts', () => {
  test.each([
    ['ends', desk(), 'sent'],
    ['is cut off', desk({ room: () => Promise.reject(new TransientError('offline', 'away')) }), 'cut off'],
  ])('when it %s, what it reads from is closed', async (_, end, expected) => {
    const { source, state } = noise(5000);
    const how = await sendParts(source, START, end, signal).then(
      () => 'sent',
      () => 'cut off',
    );
    expect([how, state.isOpen]).toEqual([expected, false]);
  });

  test('when there are many parts, they count no more bytes than the whole has', async () => {
    const { source, bytes } = noise(20_000);
    const done = await sendParts(source, START, desk(), signal);
    expect(done.part).toBeGreaterThan(10);
    expect(bytes - done.bytes).toBe(1);
  });

  test('when only little is to go, parts are small, too', async () => {
    const sizes: number[] = [];
    const { source } = noise(1000);
    const done = await sendParts(
      source,
      START,
      desk({
        partBytes: 1024,
        isEnough: (bytes) => bytes > 1024,
        told: ({ bytes }) => void sizes.push(bytes),
      }),
      signal,
    );
    expect(sizes).toEqual([done.bytes]);
    expect(done.bytes).toBeGreaterThan(500);
    expect(done.bytes).toBeLessThanOrEqual(1024);
  });
});
