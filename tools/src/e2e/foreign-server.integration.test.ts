import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HubClient } from '@bowline/ipc';
import { needs, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { ForeignServer } from './foreign-server.ts';

/** Messages in one call: they go up as a `batch`. */
const A_CALL = 5;
const LANES = ['results', 'events', 'telemetry', 'history'];

const telemetry = (value: number) => ({
  id: uuidv7(),
  type: 'telemetry' as const,
  sentAt: Date.now(),
  payload: { samples: [{ series: 'test.counter', at: 1_700_000_000_000 + value, value }] },
});

describe.runIf(needs('python3-websockets') && needs('python3-cryptography'))(
  'a server that knows nothing but the protocol and sends every other receipt',
  () => {
    let server: ForeignServer;
    let device: BareDevice;
    let hub: HubClient;
    /** Of the last sample that was accepted. */
    let last = -1;

    beforeAll(async () => {
      server = new ForeignServer();
      await server.start();
      device = new BareDevice(server);
      device.startGateway();
      device.startExecutor();
      hub = device.connect();
    });
    afterAll(() => hub.close());

    async function send(count: number): Promise<void> {
      for (const end = last + count; last < end; last += A_CALL) {
        const messages = Array.from({ length: A_CALL }, (_, index) => telemetry(last + 1 + index));
        await hub.enqueue(messages);
      }
    }

    /** Everything that was accepted so far is at the server, each sample exactly once and in order. */
    async function expectAll(): Promise<void> {
      await waitFor(() => server.values().length > last, { what: `${last + 1} samples` });
      const values = server.values();
      expect(values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: last + 1 }, (_, value) => value));
      for (const lane of LANES) {
        const lines = server.messages('telemetry').filter((line) => line.lane === lane);
        const ofLane = lines.map(({ payload }) => payload?.samples?.[0]?.value ?? -1);
        expect(ofLane).toEqual(ofLane.toSorted((a, b) => a - b));
      }
    }

    /** Of the samples after `from`, each has come exactly once. */
    async function expectNew(from: number): Promise<void> {
      await waitFor(() => server.values().includes(last), { what: `sample ${last}` });
      const values = server.values().filter((value) => value > from);
      expect(values.toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: last - from }, (_, index) => from + 1 + index),
      );
    }

    const linkState = async () => (await hub.request('status', {})).link.state;

    /** Both sides say so; what is sent from here on goes up live. */
    const online = () =>
      waitFor(
        async () => {
          const { devices } = await server.state();
          return devices['device-1']?.online && (await linkState()) === 'online';
        },
        { what: 'the device to be online' },
      );

    /** The last receipt may be one of those that got lost: the answer to the next heartbeat makes up for it. */
    const untilReceipted = () =>
      waitFor(async () => {
        const status = await hub.request('status', {});
        return Object.values(status.queue.lanes).every(({ messages }) => messages === 0) && status;
      });

    async function expectPong(): Promise<void> {
      const orderId = await server.ping();
      const succeeded = () => server.acks(orderId).includes('succeeded');
      await waitFor(succeeded, { what: 'the answer to a ping' });
      expect(server.acks(orderId)).toEqual(['received', 'started', 'succeeded']);
      const { devices } = await server.state();
      expect(devices['device-1']?.orders[orderId]).toBe('succeeded');
    }

    test('when a device comes with its token, it enrols, brings its samples and answers more pings than its window holds', async () => {
      await send(100);
      await expectAll();
      await Promise.all(Array.from({ length: 40 }, expectPong));
      expect(existsSync(join(device.folder, 'token'))).toBe(false);
    });

    test('when the server is killed, what was accepted meanwhile arrives after its restart, once', async () => {
      await server.kill();
      await waitFor(async () => (await linkState()) !== 'online', { what: 'the device to notice' });
      await send(50);
      await server.start();
      await expectAll();
      await expectPong();
      expect(server.messages('telemetry').filter(({ lane }) => lane === 'history')).not.toHaveLength(0);
    });

    test('when the gateway is killed amid its samples, the rest goes on where it was, in the same epoch', async () => {
      const sending = send(100);
      await waitFor(() => server.values().length > last - 50 && last > 170);
      await device.killGateway();
      device.startGateway();
      await sending;
      await expectAll();
      await expectPong();
    });

    test('when all of that is over, both sides count the same, although every second receipt never came', async () => {
      const { queue } = await untilReceipted();
      const journal = server.journal();
      const stored = journal.filter(({ kind }) => kind === 'message');
      for (const lane of LANES) {
        const seqs = stored.filter((line) => line.lane === lane).map(({ seq }) => seq);
        expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => index + 1));
        const { accepted, receipted } = queue.lanes[lane]?.ledger ?? {};
        expect({ lane, accepted, receipted }).toEqual({
          lane,
          accepted: seqs.length,
          receipted: seqs.length,
        });
      }
      expect(last + 1).toBe(250);
      expect(new Set(server.messages('telemetry').map((line) => line.of))).toContain(A_CALL);
      expect(new Set(stored.map(({ id }) => id)).size).toBe(stored.length);
      expect(new Set(stored.map(({ epoch }) => epoch))).toEqual(new Set([queue.epoch]));
      expect(new Set(stored.map(({ fate }) => fate))).toEqual(new Set(['stored']));
      expect(journal.filter(({ kind }) => ['conflict', 'rejectedByDevice'].includes(kind))).toEqual([]);
      const { devices, receiptsDue } = await server.state();
      expect(devices['device-1']?.holes).toBe(0);
      expect(receiptsDue).toBeGreaterThan(1);
      expect(server.errors).toBe('');
    });

    test('when the server is restored from a backup, it makes a new epoch, knows what it lacks, and the device goes on', async () => {
      await server.kill();
      const backup = server.backup();
      await server.start();
      await online();
      await send(20);
      await expectAll();
      await expectPong();
      await untilReceipted();

      await server.kill();
      server.restore(backup);
      await server.start();
      await online();
      const from = last;
      await send(10);
      await expectNew(from);
      await expectPong();
      expect(server.journal().filter(({ kind }) => kind === 'serverEpoch')).toHaveLength(2);
      const { devices } = await server.state();
      expect(devices['device-1']?.holes).toBe(20 + 3); // the samples, and the acks of the ping
    });

    test('when the device is restored from a backup, it takes a new epoch and nothing comes twice', async () => {
      await device.killGateway();
      device.backup();
      device.startGateway();
      const from = last;
      await send(20);
      await expectNew(from);

      await device.killGateway();
      device.restore();
      device.startGateway();
      await send(10);
      await expectNew(from);
      await expectPong();
      expect(server.journal().filter(({ kind }) => kind === 'epoch')).toHaveLength(2);
      const events = server.messages('event').map(({ payload }) => payload?.kind);
      expect(events).toContain('store-restored');
      expect(server.errors).toBe('');
    });
  },
);
