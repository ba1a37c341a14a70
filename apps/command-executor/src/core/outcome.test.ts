import { describe, expect, test } from 'vitest';
import { CutResult, capResult } from './outcome.ts';

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('capResult', () => {
  test('when a result fits, it is passed on as it is', () => {
    expect(capResult({ pong: true }, 256)).toEqual({ pong: true });
  });

  test('when there is no result, it is null', () => {
    expect(capResult(undefined, 256)).toBe(null);
  });

  test.each([
    ['plain text', 'x'.repeat(5000)],
    ['quotes and backslashes', '"\\'.repeat(3000)],
    ['letters of several bytes', '€😀'.repeat(3000)],
    ['many small members', Array.from({ length: 1000 }, (_, i) => ({ i }))],
  ])('when a result of %s is too long, what is left fits and says how long it was', (_, result) => {
    const cut = capResult(result, 1024) as { truncated: boolean; sizeBytes: number; start: string };
    expect(bytes(cut)).toBeLessThanOrEqual(1024);
    expect(cut).toMatchObject({ truncated: true, sizeBytes: bytes(result) });
    expect(JSON.stringify(result).startsWith(cut.start)).toBe(true);
    expect(cut.start.length).toBeGreaterThan(100);
  });
});

test('when only the beginning of a result was kept, it is not cut twice, and the length is that of the whole', () => {
  const cut = capResult(new CutResult('"\\€'.repeat(1000), 3_000_000_000), 1024) as { start: string };
  expect(cut).toEqual({ truncated: true, sizeBytes: 3_000_000_000, start: expect.any(String) });
  expect(bytes(cut)).toBeLessThanOrEqual(1024);
  expect('"\\€'.repeat(1000).startsWith(cut.start)).toBe(true);
});

test('when a result nests deeper than an ack can carry, its beginning is told as text', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  expect(capResult(nested(28), 1000)).toEqual(nested(28));
  expect(capResult(nested(29), 1000)).toEqual({
    truncated: true,
    sizeBytes: 59,
    start: JSON.stringify(nested(29)),
  });
});
