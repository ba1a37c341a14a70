import { setTimeout as sleep } from 'node:timers/promises';
import { DEVICE_APPS } from '@bowline/pm2';
import { killByPid, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { TestFleet } from './test-fleet.ts';
import { SERIES, Traffic } from './traffic.ts';

const DEADLINE_MS = 60_000;
const LONG = { timeout: 240_000 };

/** Waits until the server has ended every order and stored every accepted sample; fails if one of them is missing. */
async function expectNothingLost(fleet: TestFleet, traffic: Traffic): Promise<void> {
  const { api } = fleet;
  const options = { timeoutMs: DEADLINE_MS, everyMs: 200 };
  const stored = await waitFor(
    async () => {
      const values = (await api.samples(DEVICE_ID, SERIES)).map(({ value }) => Number(value));
      const known = new Set(values);
      return traffic.accepted.every((value) => known.has(value)) && values;
    },
    { ...options, what: `${traffic.accepted.length} samples at the server` },
  );
  expect(stored.length).toBe(new Set(stored).size);

  const ended = new Map<string, string>();
  await waitFor(
    async () => {
      for (const id of traffic.orders.filter((each) => !ended.has(each))) {
        const { status } = await api.order(id);
        if (/^(succeeded|failed|cancelled|rejected|expired|indeterminate)$/.test(status))
          ended.set(id, status);
      }
      return ended.size === traffic.orders.length;
    },
    { ...options, what: `the end of ${traffic.orders.length} orders` },
  );
  // A ping has no effect that could not be repeated: whatever was killed, it runs again and succeeds.
  expect(new Set(ended.values())).toEqual(new Set(['succeeded']));
  expect(await api.deadLetters(DEVICE_ID)).toEqual([]);
}

/** Waits for so much more traffic that what came before has had its chance to go wrong. */
async function untilMore(
  traffic: Traffic,
  { samples, orders }: { samples: number; orders: number },
): Promise<void> {
  const goal = { samples: traffic.accepted.length + samples, orders: traffic.orders.length + orders };
  const end = performance.now() + DEADLINE_MS;
  while (traffic.accepted.length < goal.samples || traffic.orders.length < goal.orders) {
    traffic.check();
    if (performance.now() > end)
      throw new Error(`no more traffic: ${JSON.stringify({ goal, is: traffic.counts })}`);
    await sleep(20);
  }
}

describe('a device whose server is away at start', () => {
  test(
    'when the server comes at last, the device joins and brings all that was accepted meanwhile',
    LONG,
    async () => {
      const fleet = await TestFleet.make();
      await fleet.startServer();
      await fleet.prepareDevice();
      await fleet.killServer();

      await fleet.startDevice();
      const before = await fleet.pids();
      expect(Object.keys(before).toSorted()).toEqual([...DEVICE_APPS].toSorted());
      expect(Object.values(before)).not.toContain(0);

      const accepted: number[] = [];
      for (let value = 0; value < 50; value += 1) accepted.push(await Traffic.sendOne(fleet.hub, value));
      await fleet.startServer();
      await fleet.untilOnline();
      await waitFor(async () => (await fleet.api.samples(DEVICE_ID, SERIES)).length >= accepted.length);
      const stored = await fleet.api.samples(DEVICE_ID, SERIES);
      expect(stored.map(({ value }) => value)).toEqual(accepted);
      expect(await fleet.pids()).toEqual(before);
      await fleet.end();
    },
  );
});

describe('a device at work', () => {
  let fleet: TestFleet;
  /** Each test's samples have values of their own. */
  let nextValue = 0;

  beforeAll(async () => {
    fleet = await TestFleet.make();
    await fleet.startServer();
    await fleet.prepareDevice();
    await fleet.startDevice();
    await fleet.untilOnline();
  });

  function startTraffic(): Traffic {
    nextValue += 1_000_000;
    return new Traffic(fleet.hub, fleet.api, nextValue);
  }

  test('when the server is killed and comes back, no process notices and nothing is lost', LONG, async () => {
    const before = await fleet.pids();
    const traffic = startTraffic();
    await untilMore(traffic, { samples: 50, orders: 5 });
    await fleet.killServer();
    await untilMore(traffic, { samples: 200, orders: 0 });
    await fleet.startServer();
    await fleet.untilOnline();
    await untilMore(traffic, { samples: 50, orders: 5 });
    await traffic.stop();
    await expectNothingLost(fleet, traffic);
    expect(await fleet.pids()).toEqual(before);
  });

  test.each(DEVICE_APPS)(
    'when %s is killed, it comes back, the others never notice and nothing is lost',
    LONG,
    async (app) => {
      const before = await fleet.pids();
      const traffic = startTraffic();
      await untilMore(traffic, { samples: 50, orders: 5 });

      killByPid(before[app]);
      const after = await waitFor(
        async () => {
          const now = await fleet.pids();
          return now[app] !== 0 && now[app] !== before[app] && now;
        },
        { timeoutMs: DEADLINE_MS, everyMs: 100, what: `${app} to be back` },
      );
      await untilMore(traffic, { samples: 50, orders: 5 });
      await traffic.stop();

      await expectNothingLost(fleet, traffic);
      expect({ ...after, [app]: 0 }).toEqual({ ...before, [app]: 0 });
      expect(await fleet.pids()).toEqual(after);
    },
  );

  test('when it has all been survived, real figures of the device have come all the while', async () => {
    await waitFor(
      async () => {
        const cpu = await fleet.api.samples(DEVICE_ID, 'system.cpu.utilization');
        return cpu.length > 20 && new Set(cpu.map(({ value }) => value)).size > 1;
      },
      { what: 'figures of its own' },
    );
  });
});
