import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectHub, type HubClient } from '@bowline/ipc';
import { createLogger, systemClock } from '@bowline/runtime';
import { needs, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

/** Debian's own, whatever else is in PATH: the packages belong to it. */
const PYTHON = '/usr/bin/python3';
const LANES = ['results', 'events', 'telemetry', 'history'];

/** A line of the server's journal (tools/foreign-server/journal.py). */
interface JournalLine {
  kind: string;
  epoch?: string;
  lane?: string;
  seq?: number;
  id?: string;
  type?: string;
  fate?: string;
  payload?: { orderId?: string; status?: string; result?: unknown; samples?: { value: number }[] };
}

interface ServerState {
  devices: Record<string, { online: boolean; holes: number; orders: Record<string, string> }>;
  receiptsDue: number;
}

class ForeignServer {
  readonly #folder = join(temporaryFolder(), 'state');
  #process: TestProcess | undefined;
  #ports: string[] = [];
  url = '';
  token = '';

  async start(): Promise<void> {
    const main = join(WORKSPACE, 'tools/foreign-server/server.py');
    this.#process = startProcess(PYTHON, ['-B', main, '--state', this.#folder, ...this.#ports]);
    const [line] = await this.#process.output(/^\{.*\}$/m);
    const said = JSON.parse(line) as { server: string; linkPort: number; token: string };
    Object.assign(this, { url: said.server, token: said.token });
    this.#ports = ['--http-port', new URL(said.server).port, '--link-port', String(said.linkPort)];
  }

  async kill(): Promise<void> {
    await this.#process?.kill('SIGKILL');
  }

  get errors(): string {
    return this.#process?.stderr() ?? '';
  }

  async state(): Promise<ServerState> {
    return (await (await fetch(`${this.url}/state`)).json()) as ServerState;
  }

  async ping(): Promise<string> {
    const body = JSON.stringify({ type: 'command', payload: { name: 'ping', params: {} } });
    const response = await fetch(`${this.url}/orders`, { method: 'POST', body });
    return ((await response.json()) as { orderId: string }).orderId;
  }

  journal(): JournalLine[] {
    const text = readFileSync(join(this.#folder, 'journal.jsonl'), 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalLine]));
  }

  messages(type: string): JournalLine[] {
    return this.journal().filter((line) => line.kind === 'message' && line.type === type);
  }

  values(): number[] {
    return this.messages('telemetry').flatMap(
      ({ payload }) => payload?.samples?.map(({ value }) => value) ?? [],
    );
  }

  acks(orderId: string): (string | undefined)[] {
    return this.messages('ack').flatMap(({ payload }) =>
      payload?.orderId === orderId ? [payload.status] : [],
    );
  }
}

/** The gateway and the executor as they are shipped, without pm2. */
class Device {
  readonly folder = temporaryFolder();
  readonly hubFolder = join(this.folder, 'hub');
  gateway: TestProcess | undefined;

  constructor({ url, token }: ForeignServer) {
    writeFileSync(join(this.folder, 'token'), token);
    this.#configure('ws-gateway', {
      enrolment: { server: url, tokenFile: join(this.folder, 'token') },
      link: { allowInsecure: true, backoffBaseMs: 50, backoffCapMs: 250 },
    });
    this.#configure('command-executor', {});
  }

  #configure(app: string, config: Record<string, unknown>): void {
    const common = { stateDir: join(this.folder, app), hubFolder: this.hubFolder };
    writeFileSync(join(this.folder, `${app}.json`), JSON.stringify({ ...common, ...config }));
  }

  start(app: 'ws-gateway' | 'command-executor'): TestProcess {
    const main = join(WORKSPACE, 'apps', app, 'dist/main.js');
    return startProcess(process.execPath, [main, '--config', join(this.folder, `${app}.json`)]);
  }

  connect(): HubClient {
    return connectHub({
      folder: this.hubFolder,
      app: 'cli',
      version: '0',
      orderTypes: [],
      log: createLogger({ app: 'cli', level: 'error' }),
      clock: systemClock,
    });
  }
}

describe.runIf(needs('python3-websockets') && needs('python3-cryptography'))(
  'a server that knows nothing but the protocol and sends every other receipt',
  () => {
    let server: ForeignServer;
    let device: Device;
    let hub: HubClient;
    /** Of the last sample that was accepted. */
    let last = -1;

    beforeAll(async () => {
      server = new ForeignServer();
      await server.start();
      device = new Device(server);
      device.gateway = device.start('ws-gateway');
      device.start('command-executor');
      hub = device.connect();
    });
    afterAll(() => hub.close());

    async function send(count: number): Promise<void> {
      for (let sent = 0; sent < count; sent += 1) {
        const samples = [{ series: 'test.counter', at: 1_700_000_000_000 + last + 1, value: last + 1 }];
        await hub.enqueue([{ id: uuidv7(), type: 'telemetry', sentAt: Date.now(), payload: { samples } }]);
        last += 1;
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

    async function expectPong(): Promise<void> {
      const orderId = await server.ping();
      const succeeded = () => server.acks(orderId).includes('succeeded');
      await waitFor(succeeded, { what: 'the answer to a ping' });
      expect(server.acks(orderId)).toEqual(['received', 'started', 'succeeded']);
      const { devices } = await server.state();
      expect(devices['device-1']?.orders[orderId]).toBe('succeeded');
    }

    test('when a device comes with its token, it enrols, brings its samples and answers a ping', async () => {
      await send(100);
      await expectAll();
      await expectPong();
      expect(existsSync(join(device.folder, 'token'))).toBe(false);
    });

    test('when the server is killed, what was accepted meanwhile arrives after its restart, once', async () => {
      await server.kill();
      await send(50);
      await server.start();
      await expectAll();
      await expectPong();
      expect(server.messages('telemetry').filter(({ lane }) => lane === 'history')).not.toHaveLength(0);
    });

    test('when the gateway is killed amid its samples, the rest goes on where it was, in the same epoch', async () => {
      const sending = send(100);
      await waitFor(() => server.values().length > last - 50 && last > 170);
      await device.gateway?.kill();
      device.gateway = device.start('ws-gateway');
      await sending;
      await expectAll();
      await expectPong();
    });

    test('when all is done, both sides count the same, although every second receipt never came', async () => {
      // The last receipt may be one of those that got lost: the answer to the next heartbeat makes up for it.
      const { queue } = await waitFor(async () => {
        const status = await hub.request('status', {});
        return Object.values(status.queue.lanes).every(({ messages }) => messages === 0) && status;
      });
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
      expect(new Set(stored.map(({ id }) => id)).size).toBe(stored.length);
      expect(new Set(stored.map(({ epoch }) => epoch))).toEqual(new Set([queue.epoch]));
      expect(new Set(stored.map(({ fate }) => fate))).toEqual(new Set(['stored']));
      expect(journal.filter(({ kind }) => ['conflict', 'rejectedByDevice'].includes(kind))).toEqual([]);
      const { devices, receiptsDue } = await server.state();
      expect(devices['device-1']?.holes).toBe(0);
      expect(receiptsDue).toBeGreaterThan(1);
      expect(server.errors).toBe('');
    });
  },
);
