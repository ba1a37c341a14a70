import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { messageId, telemetry } from './testing/messages.ts';
import { newHubFolder, registered, testClient, testHub } from './testing/real-hub.ts';

const script = (name: string) => join(import.meta.dirname, 'testing', name);
const startHub = (folder: string, file: string, ...crash: string[]) =>
  startProcess(process.execPath, [script('storing-hub-process.ts'), folder, file, ...crash]);

interface Line {
  producer: string;
  batch: number;
  duplicate: boolean;
  ns: number[];
}

const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

describe('enqueue', () => {
  it('when the hub is killed over and over in the middle of it, nothing is lost, doubled or out of order', async ({
    signal,
  }) => {
    const random = seededRandom();
    const folder = newHubFolder();
    const file = join(temporaryFolder(), 'stored');
    const client = testClient(folder, 'telemetry-collector');
    const calls = 500; // more than eight lives of at most twelve batches of five calls can store
    const count = { called: 0, ended: 0 };
    const caller = async () => {
      while (count.called < calls) {
        const n = count.called;
        count.called += 1;
        await client.enqueue([telemetry(2 * n, random.integer(0, 20_000)), telemetry(2 * n + 1)]);
        count.ended += 1;
      }
    };
    const callers = Promise.all([1, 2, 3, 4, 5].map(caller));

    let kills = 0;
    for (; count.ended < calls && !signal.aborted; kills += 1) {
      const crash = kills < 8 ? [String(random.integer(1, 12)), random.pick(['before', 'after'])] : [];
      const hub = startHub(folder, file, ...crash);
      await Promise.race([callers, hub.exited]);
      if (count.ended === calls) await hub.kill();
    }
    await callers;

    const lines = linesOf(file);
    const stored = lines.filter(({ duplicate }) => !duplicate);
    expect(stored.flatMap(({ ns }) => ns)).toEqual(Array.from({ length: 2 * calls }, (_, n) => n));
    expect(stored.map(({ batch }) => batch)).toEqual(
      stored.map(({ batch }) => batch).toSorted((a, b) => a - b),
    );
    for (const repeated of lines.filter(({ duplicate }) => duplicate)) {
      expect(stored).toContainEqual({ ...repeated, duplicate: false });
    }
    expect(new Set(lines.map(({ producer }) => producer)).size).toBe(1);
    expect(kills).toBeGreaterThanOrEqual(9);
  });

  it('when the hub dies after storing and before answering, the same batch comes again and the call ends well', async () => {
    const folder = newHubFolder();
    const file = join(temporaryFolder(), 'stored');
    const first = startHub(folder, file, '1', 'after');
    const client = testClient(folder, 'telemetry-collector');
    const call = client.enqueue([telemetry(7)]);
    await first.exited;
    startHub(folder, file);
    await call;
    const [stored, repeated] = linesOf(file);
    expect(stored).toMatchObject({ ns: [7], duplicate: false });
    expect(repeated).toEqual({ ...stored, duplicate: true });
  });
});

describe('requests', () => {
  it('when the gateway is killed and back, those under way fail with `hub-away` and the same client goes on', async () => {
    const folder = newHubFolder();
    const file = join(temporaryFolder(), 'stored');
    const first = startHub(folder, file);
    const client = testClient(folder, 'command-executor');
    let registrations = 0;
    client.onRegistered(() => (registrations += 1));
    await registered(client);
    const report = { orderId: messageId(1), status: 'started', at: 1 } as const;
    const request = client.request('reportOrder', report).catch((error: unknown) => error);
    await client.enqueue([telemetry(1)]);
    await first.kill();
    expect(await request).toMatchObject({ name: 'TransientError', code: 'hub-away' });
    await waitFor(() => !client.connected);
    await expect(client.request('reportOrder', report)).rejects.toMatchObject({ code: 'hub-away' });
    expect(client.notify('appState', { state: 'x' })).toBe(false);

    startHub(folder, file);
    await waitFor(() => registrations === 2);
    await client.enqueue([telemetry(2)]);
    expect(linesOf(file).map(({ ns }) => ns)).toEqual([[1], [2]]);
  });

  it('when the gateway is away at the start, requests say so at once and the app registers when it comes', async () => {
    const folder = newHubFolder();
    const client = testClient(folder);
    await expect(client.request('status', {})).rejects.toMatchObject({
      name: 'TransientError',
      code: 'hub-away',
      message: expect.stringContaining(folder),
    });
    const hub = await testHub(folder);
    await registered(client);
    expect(client.lastError).toBeUndefined();
    expect(hub.peers()).toHaveLength(1);
  });

  it('when the hub hangs, the window fills and refuses; when it goes on, all that was taken is answered on the same connection', async () => {
    const folder = newHubFolder();
    const file = join(temporaryFolder(), 'stored');
    const hub = startHub(folder, file);
    const client = testClient(folder, 'telemetry-collector', {
      limits: { windowBytes: 1024 * 1024, frameBytes: 256 * 1024 },
    });
    let registrations = 0;
    client.onRegistered(() => (registrations += 1));
    await registered(client);
    process.kill(hub.pid, 'SIGSTOP');

    const result = 'x'.repeat(100_000);
    const outcomes: string[] = [];
    const settled = Array.from({ length: 60 }, (_, at) =>
      client
        .request('reportOrder', { orderId: messageId(1), status: 'started', at, result }, { deadlineMs: 100 })
        .catch((error: { code: string }) => outcomes.push(error.code)),
    );
    const stored = client.enqueue([telemetry(1, 200_000)]);
    await Promise.all(settled);
    const refused = outcomes.filter((code) => code === 'window-full').length;
    expect(refused).toBeGreaterThanOrEqual(45);
    expect(refused).toBeLessThan(60);
    expect(outcomes.filter((code) => code === 'deadline')).toHaveLength(60 - refused);

    process.kill(hub.pid, 'SIGCONT');
    await stored;
    expect(linesOf(file).map(({ ns }) => ns)).toEqual([[1]]);
    expect(registrations).toBe(1);
    expect(client.counters).toMatchObject({ badFrames: 0, droppedConnections: 0 });
  });
});

describe('processes', () => {
  it('when a second gateway starts, it is refused and ends; when the first is killed, the next one takes over', async () => {
    const folder = newHubFolder();
    const file = join(temporaryFolder(), 'stored');
    const first = startHub(folder, file);
    await first.output(/open/);
    const client = testClient(folder, 'telemetry-collector');
    await registered(client);
    const second = startHub(folder, file);
    expect((await second.exited).code).not.toBe(0);
    expect(second.stderr()).toMatch(/already-running/);
    expect(client.connected).toBe(true);
    await client.enqueue([telemetry(1)]);
    await first.kill();
    const third = startHub(folder, file);
    await third.output(/open/);
    await client.enqueue([telemetry(2)]);
    expect(linesOf(file).flatMap(({ ns }) => ns)).toEqual([1, 2]);
  });

  it('when nothing but the client keeps a process alive, it waits for the hub and ends after close', async () => {
    const folder = newHubFolder();
    const patient = startProcess(process.execPath, [script('patient-client-process.ts'), folder]);
    await patient.output(/waiting/);
    await testHub(folder);
    await patient.output(/registered/);
    expect(await patient.exited).toEqual({ code: 0, signal: null });
  });
});
