import { checkOutgoing } from '@bowline/messages/outgoing';
import { describe, expect, test } from 'vitest';
import { softwareKey, softwareRunning } from './software-running.ts';

const software = {
  version: '1.2.3',
  node: 'v26.10.0',
  kernel: '6.1.0',
  platform: 'linux',
  arch: 'x64',
  bootId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
};

describe('softwareRunning', () => {
  test('when the event is made, it fits the contract and names the version', () => {
    expect(checkOutgoing('event', softwareRunning(software, 1.5))).toMatchObject({
      kind: 'software.running',
      at: 2,
      data: { version: '1.2.3' },
    });
  });

  test('when version or boot change, it is another fact, else the same', () => {
    const keys = [
      software,
      { ...software },
      { ...software, version: '1.2.4' },
      { ...software, bootId: 'other' },
    ];
    expect(new Set(keys.map(softwareKey)).size).toBe(3);
  });
});
