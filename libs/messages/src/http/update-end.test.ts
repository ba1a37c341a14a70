import { expect, test } from 'vitest';
import { updateEndOf } from './update-end.ts';

const failed = (result: unknown) => updateEndOf({ type: 'softwareUpdate', status: 'failed', result });

test('when an update failed, what the program wrote last is told, and how the device stands since', () => {
  const result = { name: 'kiosk', log: ['no licence', 'Error: broken'], degraded: 'its process is down' };
  expect(failed(result)).toEqual({ lines: ['no licence', 'Error: broken'], degraded: 'its process is down' });
});

test('when a device sends more than it should, or something else, that is bounded or left out', () => {
  const { lines } = failed({ log: Array.from({ length: 1000 }, (_, n) => `${n}`.padEnd(5000, 'x')) });
  expect(lines.map((line) => line.length)).toEqual(Array.from({ length: 20 }, () => 400));
  expect(lines.at(-1)).toMatch(/^999x/);
  for (const result of [undefined, null, 7, 'log', { log: 'text', degraded: 7 }])
    expect(failed(result)).toEqual({ lines: [] });
});

test('when an order is of another type, or has not failed, there is nothing to tell', () => {
  const result = { log: ['of a command'] };
  expect(updateEndOf({ type: 'command', status: 'failed', result })).toEqual({ lines: [] });
  expect(updateEndOf({ type: 'softwareUpdate', status: 'succeeded', result })).toEqual({ lines: [] });
});
