import { expect, test } from 'vitest';
import { misconfiguredSince } from './misconfigured.ts';

const line = (at: number, state: string | undefined, message: string) =>
  JSON.stringify({ time: new Date(at).toISOString(), state, message });

test('when an app waits for its configuration, its last word on that counts, of this life alone', () => {
  const log = [
    'ut of a line"}',
    line(1000, 'misconfigured', 'old'),
    line(3000, 'misconfigured', 'first'),
    line(4000, 'misconfigured', 'last'),
    line(5000, undefined, 'something else'),
    '',
  ].join('\n');
  expect(misconfiguredSince(log, 2000)).toBe('last');
  expect(misconfiguredSince(log, 6000)).toBeUndefined();
});
