import type { AuditEntry } from '@bowline/messages';
import { expect, test } from 'vitest';
import { callsOf } from './audited-calls.ts';

const entry = (seq: number, more: Partial<AuditEntry> = {}): AuditEntry => ({
  seq,
  at: seq,
  from: '127.0.0.1',
  action: 'order.create',
  target: {},
  prev: '',
  hash: '',
  ...more,
});
const outcome = { status: 201 };

test('when a call has an outcome, it is one line; when it has none, it is shown as it began', () => {
  const newestFirst = [
    entry(4, { outcome: { status: 403 } }),
    entry(3, { of: 1, outcome }),
    entry(2),
    entry(1),
  ];
  expect(callsOf(newestFirst).map((call) => [call.seq, call.outcome?.status])).toEqual([
    [4, 403],
    [3, 201],
    [2, undefined],
  ]);
});
