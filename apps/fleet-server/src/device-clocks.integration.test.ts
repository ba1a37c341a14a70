import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { lanes } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

const DAY_MS = 86_400_000;
const NOW = Date.now();
const samplesOf = async (server: TestServer, from?: number) => {
  const query = from === undefined ? '' : `&from=${from}`;
  const { body } = await server.api('GET', `/v1/devices/clockless/telemetry?series=level${query}`);
  return body['samples'] as { at: number; value: number; quality?: string }[];
};

describe('a device whose clock was wrong at first', () => {
  it('when it tells the offset of that boot, its samples are where they belong, before and after, and stay there', async () => {
    let server = await startTestServer({ keep: { eventsBytes: 4096 } });
    const { stateDir } = server;
    const device = await server.device('clockless');
    const bootId = device.bootId;
    // It thinks it is in January 1970; the boot was an hour ago.
    const offsetMs = NOW - 3_600_000;
    const unsure = (monoMs: number, of = bootId) => ({
      series: 'level',
      at: DAY_MS + monoMs,
      value: monoMs,
      unit: 'm',
      quality: 'unsynchronised',
      bootId: of,
      monoMs,
    });
    const link = await device.open();
    link.durable('telemetry', 1, 'telemetry', { samples: [unsure(1000), unsure(2000)] });
    await link.receipted('telemetry', 1);
    expect((await samplesOf(server)).map(({ at }) => at)).toEqual([DAY_MS + 1000, DAY_MS + 2000]);

    const event = (seq: number, kind: string, data: object) =>
      link.durable('events', seq, 'event', { kind, severity: 'info', at: NOW, data });
    event(1, 'clock-synchronised', { bootId, offsetMs });
    // Told again after a restart of the collector, when the clock had been set a little: nothing that was shown moves.
    event(2, 'clock-synchronised', { bootId, offsetMs: offsetMs + 700 });
    await link.receipted('events', 2);
    const good = { series: 'level', at: offsetMs + 4000, value: 4000, unit: 'm', quality: 'good' };
    link.durable('telemetry', 2, 'telemetry', { samples: [good] });
    // From the backlog: behind what is newer, and of another boot that nobody knows the time of.
    link.durable('history', 1, 'telemetry', { samples: [unsure(3000), unsure(9000, randomUUID())] });
    await link.receipted('history', 1);
    await link.receipted('telemetry', 2);

    const right = [1000, 2000, 3000].map((monoMs) => ({
      at: offsetMs + monoMs,
      value: monoMs,
      unit: 'm',
      quality: 'estimated',
    }));
    const { series: _series, ...last } = good;
    const shown = [...right, last];
    expect(await samplesOf(server, NOW - DAY_MS)).toEqual(shown);
    const { body } = await server.api('GET', '/v1/devices/clockless/series');
    expect(body['series']).toMatchObject([
      { series: 'level', unit: 'm', last: { at: good.at, value: 4000, quality: 'good' } },
    ]);

    // The event is not kept for as long as the samples are.
    for (let seq = 3; seq < 40; seq += 1) event(seq, 'noise', { text: 'x'.repeat(500) });
    await link.receipted('events', 39);
    const { body: events } = await server.api('GET', '/v1/devices/clockless/events?limit=1000');
    expect(JSON.stringify(events)).not.toContain('clock-synchronised');
    await server.stop();
    server = await startTestServer({ stateDir });
    expect(await samplesOf(server, NOW - DAY_MS)).toEqual(shown);
    await server.api('POST', '/v1/devices/clockless/decommission');
    await server.stop();
  });
});

describe('what a device uploads of its logs by itself', () => {
  it('when parts of it have come, it is listed, and handed out whole once they are all here', async () => {
    const server = await startTestServer();
    const device = await server.device('logging');
    const link = await device.open(lanes({}));
    const upload = { job: 'kiosk', kind: 'logs', app: 'kiosk', from: 1, to: 2 };
    const [first, second] = [uuidv7(), uuidv7()];
    const part = (seq: number, orderId: string | undefined, number: number, data: unknown[], last: boolean) =>
      link.durable('history', seq, 'history', {
        orderId,
        upload,
        part: number,
        last,
        encoding: 'json',
        data,
      });
    part(1, first, 0, [{ n: 0 }], false);
    part(2, first, 1, [{ n: 1 }], true);
    part(3, second, 0, ['text'], false);
    await link.receipted('history', 3);
    const list = (await server.api('GET', '/v1/devices/logging/uploads')).body['uploads'];
    expect(list).toMatchObject([
      { uploadId: second, parts: 1, complete: false },
      { uploadId: first, ...upload, parts: 2, complete: true },
    ]);
    expect((await server.api('GET', `/v1/devices/logging/uploads/${first}`)).body).toMatchObject({
      complete: true,
      items: [{ n: 0 }, { n: 1 }],
    });
    expect(await server.api('GET', '/v1/devices/logging/uploads/none')).toMatchObject({
      status: 404,
      body: { code: 'unknown-upload' },
    });
    await server.stop();
  });
});

describe('what a device is asked for', () => {
  it('when the order does not say how much, the device is told what this server is sure to keep; more is refused', async () => {
    const server = await startTestServer({ keep: { historyBytes: 100_000 } });
    await server.device('asked');
    const ask = (payload: object) =>
      server.api('POST', '/v1/devices/asked/orders', {
        type: 'historyRequest',
        payload: { kind: 'logs', app: 'kiosk', from: 0, to: 1, ...payload },
      });
    expect((await ask({})).body).toMatchObject({ payload: { maxBytes: 50_000 } });
    expect((await ask({ maxBytes: 1000 })).body).toMatchObject({ payload: { maxBytes: 1000 } });
    expect(await ask({ maxBytes: 50_001 })).toMatchObject({
      status: 400,
      body: { code: 'history-too-large', detail: expect.stringContaining('50000') },
    });
    await server.stop();
  });
});
