import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { PlainServer } from './plain-server.ts';

const SERIES = 'system.cpu.load_average.1m';
const OFF = Object.fromEntries(
  [
    'cpu',
    'memory',
    'paging',
    'disk',
    'filesystem',
    'temperature',
    'power',
    'network',
    'uptime',
    'bowline',
  ].map((name) => [name, { intervalMs: 0 }]),
);

test.runIf(needs('faketime'))(
  'when the clock of a device is set late, the server shows what it sampled before at the right times, and no series goes backwards',
  async () => {
    const began = Date.now();
    const server = await PlainServer.start();
    const device = new BareDevice({ url: server.url, token: await server.token('--device', 'clockless') });
    device.startGateway();
    await device.untilOnline();
    // The wall clock of the collector alone, read anew at each look.
    const clock = join(device.folder, 'clock');
    writeFileSync(clock, '@1970-01-02 00:00:00');
    device.startCollector(
      {
        clockSynchronisedFile: join(device.folder, 'never'),
        series: { ...OFF, load: { intervalMs: 200 } },
        seriesRules: [{ match: '*', deadBand: 0, silenceMs: 200 }],
        telemetry: { commitMs: 100 },
        history: { commitMs: 100, reserveBytes: 0 },
      },
      {
        LD_PRELOAD: globSync('/usr/lib/*/faketime/libfaketime.so.1')[0] ?? '',
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    );
    const samples = () => server.api.samples('clockless', SERIES);
    const unsure = await waitFor(
      async () => {
        const found = await samples();
        return found.length >= 3 && found.every(({ quality }) => quality === 'unsynchronised') && found;
      },
      { what: 'samples from 1970', timeoutMs: 30_000 },
    );
    expect(unsure[0]?.at).toBeLessThan(10 * 86_400_000);

    writeFileSync(clock, '+0');
    const all = await waitFor(
      async () => {
        const found = await samples();
        return found.filter(({ quality }) => quality === 'good').length >= 3 && found;
      },
      { what: 'samples with a right clock', timeoutMs: 30_000 },
    );
    expect(all.length).toBeGreaterThanOrEqual(unsure.length + 3);
    expect(all.slice(0, unsure.length).map(({ quality }) => quality)).toEqual(unsure.map(() => 'estimated'));
    for (const [index, { at }] of all.entries()) {
      expect(at).toBeGreaterThan(index === 0 ? began - 5000 : (all[index - 1]?.at ?? 0));
      expect(at).toBeLessThanOrEqual(Date.now() + 5000);
    }
    // The device's own history says the same.
    const shown = await device.bowline('history', 'show', SERIES, '--from', '1h', '--json');
    const { points } = JSON.parse(shown.stdout) as { points: { at: number }[] };
    expect(points.slice(0, unsure.length).map(({ at }) => at)).toEqual(
      all.slice(0, unsure.length).map(({ at }) => at),
    );
  },
);
