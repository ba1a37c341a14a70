import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { freePort, seededRandom, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { lanes, type RawDevice, type RawLink } from './testing/raw-device.ts';
import { MAIN, startReal } from './testing/real-server.ts';
import { enrolled, operatorsApi } from './testing/test-server.ts';

const receivedOf = ({ frames }: RawLink): number => {
  const welcome = frames.find(({ type }) => type === 'welcome');
  return (welcome?.payload['received'] as Record<string, number> | undefined)?.['telemetry'] ?? 0;
};

interface Sent {
  seq: number;
  id: string;
  value: number;
}

/** Sends from where the server is, as fast as it goes, until the link ends; keeps what was receipted. */
class Producer {
  readonly #device: RawDevice;
  readonly sent: Sent[] = [];
  receipted = 0;
  next = 1;

  constructor(device: RawDevice) {
    this.#device = device;
  }

  async open(): Promise<RawLink> {
    const first = this.receipted + 1;
    const link = await this.#device.open(lanes({ telemetry: [first, this.next] }));
    const received = receivedOf(link);
    if (received < this.receipted)
      throw new Error(`receipted ${this.receipted}, but the server has ${received}`);
    if (received >= this.next) throw new Error(`sent up to ${this.next - 1}, but the server has ${received}`);
    this.receipted = received;
    for (const { seq, id, value } of this.sent.slice(received)) link.sample(seq, value, id);
    return link;
  }

  burst(link: RawLink, count: number): void {
    const messages = Array.from({ length: count }, () => {
      const message = { seq: this.next, id: uuidv7(), value: this.next };
      this.sent.push(message);
      this.next += 1;
      return message;
    });
    link.send({
      type: 'batch',
      lane: 'telemetry',
      messages: messages.map(({ seq, id, value }) => ({
        id,
        seq,
        type: 'telemetry',
        sentAt: 1,
        payload: { samples: [{ series: 'test.value', at: 1_700_000_000_000 + seq, value }] },
      })),
    });
  }

  note(link: RawLink): void {
    this.receipted = Math.max(this.receipted, ...link.receipts('telemetry'));
  }
}

describe('a server that is killed', () => {
  it('when it is killed at random moments under load, it has everything it receipted, once and in order', async () => {
    const random = seededRandom();
    const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
    let { process, url } = await startReal(stateDir, port);
    const token = readFileSync(join(stateDir, 'operator-token'), 'utf8').trim();
    const api = operatorsApi(url, token);
    const device = await enrolled(url, api, 'victim');
    const producer = new Producer(device);

    for (let kill = 0; kill < 6; kill += 1) {
      const link = await producer.open();
      const bursts = random.integer(1, 30);
      for (let index = 0; index < bursts; index += 1) {
        producer.burst(link, random.integer(1, 50));
        if (random.next() < 0.3) await nextTurn();
      }
      if (random.next() < 0.7) await link.next('receipt');
      await process.kill('SIGKILL');
      await link.closed;
      producer.note(link);
      ({ process, url } = await startReal(stateDir, port));
    }
    const link = await producer.open();
    await waitFor(() => {
      producer.note(link);
      return producer.receipted === producer.next - 1;
    });
    const { body } = await api('GET', '/v1/devices/victim/telemetry?series=test.value&limit=10000');
    const values = (body['samples'] as { value: number }[]).map(({ value }) => value);
    expect(values).toEqual(producer.sent.map(({ value }) => value));
    const view = await api('GET', '/v1/devices/victim');
    expect(view.body['alarms']).toEqual([]);
    await process.kill('SIGTERM');
  });

  it('when it is killed, orders, devices, used tokens and its identity are there again', async () => {
    const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
    const first = await startReal(stateDir, port);
    const api = operatorsApi(first.url, readFileSync(join(stateDir, 'operator-token'), 'utf8').trim());
    const device = await enrolled(first.url, api, 'victim');
    const spent = device.token();
    const link = device.connect({ token: spent });
    await link.opened;
    link.hello();
    const welcome = await link.next('welcome');
    const { body } = await api('POST', '/v1/devices/victim/orders', {
      type: 'command',
      payload: { name: 'ping' },
    });
    const orderId = String(body['orderId']);
    await link.next('command');
    link.live('receipt', { lanes: { orders: 1 } });
    link.ack(1, orderId, 'received');
    await link.receipted('results', 1);
    await first.process.kill('SIGKILL');

    const second = await startReal(stateDir, port);
    expect((await device.connect({ token: spent }).refused).body).toMatchObject({ code: 'token-replayed' });
    const { serverEpoch } = welcome.payload;
    const again = await device.open({ serverEpoch, received: 1, ...lanes({ results: [2, 2] }) });
    expect(again.frames[0]?.payload).toMatchObject({ serverEpoch, resumed: true, received: { results: 1 } });
    expect((await api('GET', `/v1/orders/${orderId}`)).body).toMatchObject({ status: 'received' });
    again.ack(2, orderId, 'succeeded', 1);
    await again.receipted('results', 2);
    expect(again.frames.some(({ type }) => type === 'command')).toBe(false);
    await second.process.kill('SIGTERM');
  });
});

describe('a server that is stopped', () => {
  it('when it is asked to stop, it receipts what it has, sends devices away with 1012 and ends by itself', async () => {
    const [stateDir, port] = [join(temporaryFolder(), 'server'), await freePort()];
    const { process, url } = await startReal(stateDir, port);
    const api = operatorsApi(url, readFileSync(join(stateDir, 'operator-token'), 'utf8').trim());
    const device = await enrolled(url, api, 'd1');
    const link = await device.open();
    for (let seq = 1; seq <= 300; seq += 1) link.sample(seq, seq);
    await link.receipted('telemetry', 1);
    const ended = process.kill('SIGTERM');
    const { code, reason } = await link.closed;
    expect(code).toBe(1012);
    expect(JSON.parse(reason)).toMatchObject({ retryAfterMs: expect.any(Number) });
    expect(await ended).toEqual({ code: 0, signal: null });

    const again = await startReal(stateDir, port);
    const known = Math.max(...link.receipts('telemetry'));
    const resumed = await device.open(lanes({ telemetry: [known + 1, 301] }));
    expect(resumed.frames[0]?.payload).toMatchObject({ received: { telemetry: known } });
    await again.process.kill('SIGTERM');
  });

  it('when its port is taken, it says so, stays up as misconfigured and ends when asked', async () => {
    const port = await freePort();
    const first = await startReal(join(temporaryFolder(), 'server'), port);
    const second = startProcess('node', [
      MAIN,
      `--stateDir=${join(temporaryFolder(), 'other')}`,
      `--port=${port}`,
    ]);
    const [line] = await second.output(/.*"code":"port-taken".*/);
    expect(line).toContain(`Port ${port} on 127.0.0.1 is taken by another program`);
    expect(await second.kill('SIGTERM')).toMatchObject({ code: 0 });
    await first.process.kill('SIGTERM');
  });

  it('when a second server is started on the same folder, it stands by until the first has ended', async () => {
    const stateDir = join(temporaryFolder(), 'server');
    const first = await startReal(stateDir, 0);
    const second = startProcess('node', [MAIN, `--stateDir=${stateDir}`, '--port=0']);
    await second.output(/standing by/);
    expect(second.stdout()).not.toContain('"listening"');
    await first.process.kill('SIGKILL');
    await second.output(/"message":"listening"/);
    await second.kill('SIGTERM');
  });
});
