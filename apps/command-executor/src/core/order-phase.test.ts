import { describe, expect, test } from 'vitest';
import { cancelOutcome, nextPhase } from './order-phase.ts';

describe('an order under way', () => {
  test('when it is cancelled while it waits, it is gone', () => {
    expect(cancelOutcome({ kind: 'waiting' })).toBe('cancelled');
  });

  test('when it is cancelled while it runs, it is stopping until it reports', () => {
    expect(cancelOutcome(nextPhase({ kind: 'waiting' }, 'begin'))).toBe('stopping');
  });

  test('when its end is decided, a cancel comes too late and nothing begins again', () => {
    const ending = nextPhase({ kind: 'running' }, 'end');
    expect(cancelOutcome(ending)).toBe('too-late');
    expect(nextPhase(ending, 'begin')).toBe(ending);
  });

  test('when nobody knows it, it is unknown', () => {
    expect(cancelOutcome(undefined)).toBe('unknown-order');
  });
});
