import { globSync } from 'node:fs';
import { RELEASED_AT } from '@bowline/runtime';
import { needs } from '@bowline/testing';
import { expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { Middle } from './middle.ts';
import { PlainServer } from './plain-server.ts';

/**
 * The wall clock of the process alone: its timers go on as they are. By the library itself, since the program `faketime`
 * stays beside what it starts, and a kill would reach only that.
 */
const WITHOUT_A_CLOCK = {
  LD_PRELOAD: globSync('/usr/lib/*/faketime/libfaketime.so.1')[0] ?? '',
  FAKETIME: '@1970-01-02 00:00:00',
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
};

test.runIf(needs('faketime'))(
  'when a device wakes up in 1970, it enrols and connects by the time that the server tells, and signs nothing for 1970',
  async () => {
    const middle = await Middle.start();
    const server = await PlainServer.start({ publicUrl: middle.url });
    middle.target = Number(new URL(server.url).port);
    const device = new BareDevice({ url: middle.url, token: await server.token() });
    const gateway = device.startGateway({ env: WITHOUT_A_CLOCK });
    await device.untilOnline();
    expect(gateway.stdout()).toContain('"time":"1970-01-02');
    const enrolling = middle.signed().length;
    expect(enrolling).toBeGreaterThanOrEqual(2);

    // Enrolled, and again without a clock: a link token alone has to do.
    await device.killGateway();
    device.startGateway({ env: WITHOUT_A_CLOCK });
    await device.untilOnline();
    const signed = middle.signed();
    expect(signed.length - enrolling).toBe(2); // one that was refused, and one with the server's time
    for (const { iat } of signed) expect(Number(iat)).toBeGreaterThanOrEqual(RELEASED_AT / 1000);
    const [last] = signed.slice(-1);
    expect(Math.abs(Number(last?.['iat']) - Date.now() / 1000)).toBeLessThan(60);
  },
);
