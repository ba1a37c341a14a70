import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isTerminal, type Order } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';
import { DEVICE_ID, TortureFleet, until } from './fleet.ts';
import { effectsIn, writeCommands } from './orders/commands.ts';

const control = join(temporaryFolder(), 'control');
let fleet: TortureFleet;

beforeAll(async () => {
  const hook = pathToFileURL(join(import.meta.dirname, 'mortal-queue.ts'));
  hook.searchParams.set('control', control);
  const gateway = ['--import', hook.href, join(WORKSPACE, 'apps/ws-gateway/src/main.ts')];
  fleet = await TortureFleet.start({ programs: { 'ws-gateway': gateway }, executor: withUnlucky });
});
afterAll(() => fleet.end({ keepFolder: false }));

/** Beside the campaign's commands one that takes effect and does not end, and one that takes effect and fails. */
function withUnlucky(folder: string): object {
  const config = writeCommands(false)(folder);
  for (const [name, then] of Object.entries({ hang: 'sleep 1000', fail: 'exit 1' })) {
    const own = join(folder, 'commands', name);
    mkdirSync(own, { recursive: true, mode: 0o755 });
    writeFileSync(
      join(own, 'run'),
      `#!/bin/sh\necho "$BOWLINE_ORDER_ID" >>${join(folder, 'effects')}\n${then}\n`,
    );
    chmodSync(join(own, 'run'), 0o755);
    writeFileSync(join(own, 'command.json'), JSON.stringify({ name, description: then, idempotent: false }));
  }
  const commands = { once: {}, again: {}, hang: {}, fail: {} };
  writeFileSync(join(folder, 'policy.json'), JSON.stringify({ commands }), { mode: 0o600 });
  return config;
}

const effects = (orderId: string): number => effectsIn(fleet.folder).filter((id) => id === orderId).length;

async function give(name: string, more: { expiresAt?: number } = {}): Promise<string> {
  const orderId = uuidv7();
  await fleet.api.give(DEVICE_ID, { orderId, type: 'command', payload: { name, params: {}, ...more } });
  return orderId;
}
async function ended(orderId: string): Promise<Order['status']> {
  let status: Order['status'] = 'queued';
  await until(
    async () => isTerminal((status = (await fleet.api.order(orderId)).status)),
    `${orderId} to end`,
  );
  return status;
}

/** The gateway dies at that commit, and is started anew; what it had to say by then goes to the server. */
async function dyingAt(commit: string, act: () => Promise<unknown>): Promise<void> {
  const before = fleet.restarts;
  writeFileSync(control, commit);
  await act();
  await until(() => !existsSync(control) && fleet.restarts > before, `the gateway to die ${commit}`);
}

const MOMENTS = ['before', 'after'] as const;

describe.each(MOMENTS)('a gateway that is killed just %s it commits', (moment) => {
  test.each(['started', 'succeeded', 'receipt'])(
    'when that is %s of an order, the order succeeds and its effect takes place once',
    async (what) => {
      let orderId = '';
      await dyingAt(`${moment} ${what}`, async () => (orderId = await give('once')));
      expect([await ended(orderId), effects(orderId)]).toEqual(['succeeded', 1]);
    },
  );

  test('when that is received of an order whose app is away, the order succeeds and its effect takes place once', async () => {
    await fleet.hold('command-executor');
    let orderId = '';
    try {
      await dyingAt(`${moment} received`, async () => (orderId = await give('once')));
    } finally {
      fleet.release('command-executor');
    }
    expect([await ended(orderId), effects(orderId)]).toEqual(['succeeded', 1]);
  });

  test('when that is rejected, the order is rejected and has no effect', async () => {
    let orderId = '';
    await dyingAt(`${moment} rejected`, async () => (orderId = await give('unheard-of')));
    expect([await ended(orderId), effects(orderId)]).toEqual(['rejected', 0]);
  });

  test('when that is failed, the order has failed and its effect took place once', async () => {
    let orderId = '';
    await dyingAt(`${moment} failed`, async () => (orderId = await give('fail')));
    expect([await ended(orderId), effects(orderId)]).toEqual(['failed', 1]);
  });

  test('when that is expired, the order has expired and has no effect', async () => {
    await fleet.hold('command-executor');
    try {
      const expiresAt = Date.now() + 5000;
      const orderId = await give('once', { expiresAt });
      await until(async () => (await fleet.api.order(orderId)).status === 'received', 'it to be received');
      await until(() => Date.now() > expiresAt, 'its time to be over');
      // The gateway looks at what waits when its app comes.
      await dyingAt(`${moment} expired`, () => Promise.resolve(fleet.release('command-executor')));
      expect([await ended(orderId), effects(orderId)]).toEqual(['expired', 0]);
    } finally {
      fleet.release('command-executor');
    }
  });

  test('when that is cancelled, the order is cancelled and has no effect', async () => {
    await fleet.hold('command-executor');
    try {
      const orderId = await give('once');
      await until(async () => (await fleet.api.order(orderId)).status === 'received', 'it to be received');
      await dyingAt(`${moment} cancelled`, () => fleet.api.cancel(orderId));
      expect(await ended(orderId)).toBe('cancelled');
      fleet.release('command-executor');
      expect([await ended(await give('once')), effects(orderId)]).toEqual(['succeeded', 0]);
    } finally {
      fleet.release('command-executor');
    }
  });

  test('when that is indeterminate after the executor was killed, the order is that, and nothing is had again', async () => {
    const orderId = await give('hang');
    await until(() => effects(orderId) === 1, 'the effect');
    await dyingAt(`${moment} indeterminate`, () => Promise.resolve(fleet.kill('command-executor')));
    expect([await ended(orderId), effects(orderId)]).toEqual(['indeterminate', 1]);
  });
});
