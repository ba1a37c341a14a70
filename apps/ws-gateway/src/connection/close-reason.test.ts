import { expect, it } from 'vitest';
import { parseCloseReason } from './close-reason.ts';

it.each([
  ['', {}],
  ['going away', {}],
  ['null', {}],
  ['{"id":"m1","retryAfterMs":5000}', { id: 'm1', retryAfterMs: 5000 }],
  ['{"id":7,"retryAfterMs":"soon"}', {}],
  ['{"retryAfterMs":-1}', {}],
])('when the reason of a close is %j, only what the protocol knows is taken', (reason, expected) => {
  expect(parseCloseReason(Buffer.from(reason))).toEqual(expected);
});
