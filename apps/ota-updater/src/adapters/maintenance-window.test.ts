import { describe, expect, test } from 'vitest';
import { safeWindowOpensAt, windowOpensAt } from './maintenance-window.ts';

const at = (text: string) => Date.parse(text);
const night = [{ opens: '0 2 * * *', minutes: 120 }];
const opens = (windows: typeof night, now: string, zone = 'Europe/Berlin') =>
  new Date(windowOpensAt(windows, at(now), zone) ?? 0).toISOString();

describe('windowOpensAt', () => {
  test('when there are no windows, any time will do', () => {
    expect(windowOpensAt(undefined, 0)).toBeUndefined();
    expect(windowOpensAt([], 0)).toBeUndefined();
  });

  test('when a window is open, its opening is past; before and after it, the next is to come', () => {
    expect(opens(night, '2026-01-10T01:30:00Z')).toBe('2026-01-10T01:00:00.000Z');
    expect(opens(night, '2026-01-10T02:59:59Z')).toBe('2026-01-10T01:00:00.000Z');
    expect(opens(night, '2026-01-10T00:59:59Z')).toBe('2026-01-10T01:00:00.000Z');
    expect(opens(night, '2026-01-10T03:00:01Z')).toBe('2026-01-11T01:00:00.000Z');
  });

  test('when the zone has summer time, the window opens by the clock on the wall', () => {
    expect(opens(night, '2026-07-10T12:00:00Z')).toBe('2026-07-11T00:00:00.000Z');
    expect(opens(night, '2026-07-10T12:00:00Z', 'America/New_York')).toBe('2026-07-11T06:00:00.000Z');
    // The night in which 02:00 does not exist: it opens all the same.
    expect(at(opens(night, '2026-03-28T12:00:00Z'))).toBeLessThan(at('2026-03-29T02:00:00Z'));
  });

  test('when there are several, the one that opens first counts; a weekday is one', () => {
    const two = [...night, { opens: '30 13 * * 6', minutes: 30 }];
    expect(opens(two, '2026-01-10T12:40:00Z')).toBe('2026-01-10T12:30:00.000Z'); // a Saturday
    expect(opens(two, '2026-01-11T12:40:00Z')).toBe('2026-01-12T01:00:00.000Z');
  });

  test('when a policy cannot be read, or its day never comes, no window opens', () => {
    expect(safeWindowOpensAt([{ opens: '99 2 * * *', minutes: 1 }], 0)).toBe(Infinity);
    expect(safeWindowOpensAt(night, 0, 'Europe/Atlantis')).toBe(Infinity);
    expect(safeWindowOpensAt([{ opens: '0 0 31 2 *', minutes: 1 }], 0)).toBe(Infinity);
    expect(safeWindowOpensAt(night, at('2026-01-10T01:30:00Z'), 'Europe/Berlin')).toBe(
      at('2026-01-10T01:00:00Z'),
    );
  });

  test('when a pattern or a zone is none, it says so', () => {
    expect(() => windowOpensAt([{ opens: '99 2 * * *', minutes: 1 }], 0)).toThrow(/99/);
    expect(() => windowOpensAt(night, 0, 'Europe/Atlantis')).toThrow(/time ?zone/i);
  });
});
