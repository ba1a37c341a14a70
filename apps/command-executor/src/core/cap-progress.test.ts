import { expect, test } from 'vitest';
import { capProgress } from './cap-progress.ts';

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const nested = (levels: number): Record<string, unknown> => (levels === 0 ? {} : { a: nested(levels - 1) });

test('when progress fits, it is passed on as it is', () => {
  const progress = { percent: 7, note: 'seven', data: nested(27) };
  expect(capProgress(progress, 1024)).toEqual(progress);
  expect(capProgress({}, 1024)).toEqual({});
});

test.each([
  ['text', 'x'.repeat(80_000)],
  ['quotes', '"'.repeat(40_000)],
  ['control characters', '\u0001'.repeat(4096)],
])('when its note and data are long for their %s, both are cut, visibly, and it fits', (_, text) => {
  const cut = capProgress({ percent: 1, note: text, data: { text } }, 1024);
  expect(bytes(cut)).toBeLessThanOrEqual(1024);
  expect(cut).toMatchObject({ percent: 1, data: { truncated: true, sizeBytes: bytes({ text }) } });
  expect(cut.note).toMatch(/…$/);
});

test.each([29, 100_000])('when its data nests %i levels deep, it is told as text', (levels) => {
  const data = JSON.parse(`${'{"a":'.repeat(levels)}{}${'}'.repeat(levels)}`) as Record<string, unknown>;
  const cut = capProgress({ data }, 1024).data;
  expect(cut).toMatchObject({ truncated: true, start: expect.stringMatching(/^\{"a":\{"a":/) as string });
  expect(bytes(cut)).toBeLessThanOrEqual(1024);
});
