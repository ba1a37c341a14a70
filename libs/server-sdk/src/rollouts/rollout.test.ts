import { expect, test } from 'vitest';
import { isDue, nothingYet, outcomeOf, whyPause, type RolloutRecord, type TakenPart } from './rollout.ts';

const record = { jti: 'b', maxFailedPercent: 5 } as RolloutRecord;
const failed = (failures: Record<string, number>) => ({ ...nothingYet(), failures });

test('when more devices failed than may, it pauses and says what failed', () => {
  expect(whyPause(record, failed({}), 100)).toBeUndefined();
  expect(whyPause(record, failed({ 'probe-failed': 4, 'no-space': 1 }), 100)).toBeUndefined();
  expect(whyPause(record, failed({ 'no-space': 2, 'probe-failed': 4 }), 100)).toBe(
    '6 of 100 devices failed: probe-failed 4, no-space 2',
  );
  // Of a few devices the first failure is more than 5 %.
  expect(whyPause(record, failed({ 'boot-loop': 1 }), 3)).toBe('1 of 3 devices failed: boot-loop 1');
  expect(whyPause({ ...record, maxFailedPercent: 0 }, failed({}), 0)).toBeUndefined();
});

test('when an order ends, what was tried and failed counts; what was called off or came too late does not', () => {
  const error = (code: string) => ({ code, message: '' });
  expect(outcomeOf({ status: 'started' })).toBeUndefined();
  expect(outcomeOf({ status: 'succeeded' })?.status).toBe('succeeded');
  expect(outcomeOf({ status: 'failed', error: error('probe-failed') })).toMatchObject({
    status: 'failed',
    code: 'probe-failed',
  });
  expect(outcomeOf({ status: 'indeterminate' })).toMatchObject({ status: 'failed', code: 'indeterminate' });
  expect(outcomeOf({ status: 'rejected', error: error('unknown-signer') })?.status).toBe('failed');
  for (const code of ['signature-expired', 'order-expired', 'replayed', 'too-many-updates'])
    expect(outcomeOf({ status: 'rejected', error: error(code) })?.status).toBe('recalled');
  // Nothing was found against the release, and the device would take it again.
  for (const code of ['inconclusive', 'interrupted', 'no-space'])
    expect(outcomeOf({ status: 'failed', error: error(code) })?.status).toBe('recalled');
  expect(outcomeOf({ status: 'cancelled' })?.status).toBe('recalled');
  expect(outcomeOf({ status: 'expired' })?.status).toBe('recalled');
});

test('when it is signed anew, those that were called off are due again, and nobody else that had it', () => {
  const stage = { order: '', jti: 'b', signedUntil: 0, percent: 1 };
  const part = (status: TakenPart['status'], jti: string): TakenPart => ({ orderId: '', jti, status, at: 0 });
  expect(isDue(undefined, stage)).toBe(true);
  expect(isDue(part('recalled', 'a'), stage)).toBe(true);
  expect(isDue(part('recalled', 'b'), stage)).toBe(false);
  for (const status of ['given', 'succeeded', 'failed'] as const)
    expect(isDue(part(status, 'a'), stage)).toBe(false);
});
