import { expect, test } from 'vitest';
import { whyEnded } from './why-ended.ts';

test('when a session has ended under its client, it is told in words by what it did', () => {
  expect(whyEnded({ result: { end: 'expired' } })).toBe('The time of the session was up.');
  expect(whyEnded({ result: { end: 'idle' } })).toContain('Nothing moved');
  const error = { code: 'session-cut-off', message: 'the device was restarted: ask for a new grant' };
  expect(whyEnded({ result: { end: 'cut-off' }, error })).toContain('the device was restarted');
  expect(whyEnded({})).toBe('');
});
