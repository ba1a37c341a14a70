import { request } from 'node:http';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceStatus } from '@bowline/messages/hub';
import { MOST_HISTORY_BYTES, offlineFaults } from './offline-faults.ts';
import { TortureFleet, until } from './fleet.ts';
import { readUploaded, type Uploaded } from './offline-log.ts';
import { hubVisitor } from './producer.ts';
import type { CampaignOptions } from './campaign.ts';

/** What `npm run torture -- offline` found. */
export interface OfflineResult {
  name: 'offline';
  seed: number;
  /** Of the device's time without a cloud. */
  seconds: number;
  sent: number;
  /** Moments of a series that the server has, and those that it was told by `gap` it will never have. */
  arrived: number;
  givenUp: number;
  /** Neither. */
  missing: number;
  cameTwice: number;
  /** Most at any time. */
  historyFileBytes: number;
  outboxMessages: number;
  /** Live samples that arrived while the backlog was still being uploaded. */
  liveMeanwhile: number;
  /** Messages a second of the backlog, and what the server allows. */
  uploadRate: number;
  uploadRateAllowed: number;
  /** Messages of lane `history`: receipted by the device's ledger, and in the server's log. */
  ledger: number;
  inLog: number;
}

const SERIES = 50;
const START = 1_790_000_000_000;
const SECONDS_AT_ONCE = 150;
const MIB = 2 ** 20;
const REPLAY_PER_SECOND = 50;
const LIVE_EVERY_MS = 100;
const ENOUGH_LIVE = 5;
const JOB = 'history-upload';
const MOST_WAIT_MS = 6 * 3600_000;

/**
 * A device without a cloud for so many simulated seconds, with 50 series of a sample a second each; then the cloud comes back. Real
 * gateway, collector and server; the samples come by the collector's own socket, with the times that they would have had.
 */
export async function offline(
  { seconds, seed }: CampaignOptions,
  say: (line: string) => void,
): Promise<OfflineResult> {
  const fleet = await TortureFleet.start({
    collector: (folder) => ({
      logLevel: 'info',
      series: Object.fromEntries(
        ['cpu', 'load', 'memory', 'filesystem', 'temperature', 'network', 'uptime'].map((name) => [
          name,
          { intervalMs: 0 },
        ]),
      ),
      ingest: {
        socket: socketIn(folder),
        requestSamples: 10_000,
        samplesPerSecond: 1_000_000,
        burstSamples: 10_000_000,
      },
      // Else a live sample waits half a minute for its hand-over, longer than a short backlog takes.
      telemetry: { commitMs: 200 },
      history: {
        commitMs: 200,
        sealMs: 60_000,
        spillAfterMs: 200,
        maxBytes: MOST_HISTORY_BYTES,
        rawMs: 3650 * 86_400_000,
        reserveBytes: 0,
        uploadJitterMs: 0,
        uploadEveryMs: 10_000,
      },
    }),
    server: { keep: { historyBytes: 1024 * MIB }, link: { replayPerSecond: REPLAY_PER_SECOND } },
  });
  let clean = false;
  try {
    const socket = socketIn(fleet.folder);
    await fleet.hold('fleet-server');
    await until(async () => (await statusOf(fleet)).link.state !== 'online', 'the link to be gone');
    await sleep(1000);
    // The first one tells the collector that it has been alone for long.
    await send(socket, [{ series: 'live', value: -1 }]);

    let [historyFileBytes, outboxMessages] = [0, 0];
    const look = async () => {
      historyFileBytes = Math.max(
        historyFileBytes,
        sizeOf(join(fleet.folder, 'device/telemetry-collector/history')),
      );
      outboxMessages = Math.max(outboxMessages, messagesIn(await statusOf(fleet)));
    };
    for (let second = 0; second < seconds; second += SECONDS_AT_ONCE) {
      await send(socket, samplesOf(second, Math.min(SECONDS_AT_ONCE, seconds - second)));
      if (second % (SECONDS_AT_ONCE * 40) === 0) await look();
      if (second > 0 && second % 86_400 < SECONDS_AT_ONCE) say(`  ${Math.round(second / 86_400)} days`);
    }
    // The last ones are recorded.
    await sleep(1000);
    await look();

    say('  the cloud is back');
    const runsBefore = jobIn(await statusOf(fleet))?.succeededAt ?? 0;
    fleet.release('fleet-server');
    await until(() => fleet.isOnline(), 'the device to be online');
    const began = performance.now();
    let liveMeanwhile = 0;
    for (let number = 0; ; number += 1) {
      await send(socket, [{ series: 'live', value: number }]);
      await sleep(LIVE_EVERY_MS);
      // Asked for a few times only: for each answer the server reads all that came in the last hour.
      const seen = liveMeanwhile < ENOUGH_LIVE ? await lastLive(fleet) : 0;
      const status = await statusOf(fleet);
      const job = jobIn(status);
      const isDone =
        (job?.succeededAt ?? 0) > runsBefore && job?.state === 'waiting' && messagesIn(status) === 0;
      if (isDone) break;
      if (job?.state === 'running' && seen > 0) liveMeanwhile = Math.max(liveMeanwhile, seen);
      if (performance.now() - began > MOST_WAIT_MS) throw new Error('the upload does not end');
    }
    const uploadSeconds = (performance.now() - began) / 1000;
    const { lanes } = (await statusOf(fleet)).queue;
    const ledger = lanes['history']?.ledger.receipted ?? 0;
    await fleet.stop('fleet-server');
    const found: Uploaded = await readUploaded(fleet.serverDir, { start: START, seconds, series: SERIES });
    const sent = SERIES * seconds;
    const result: OfflineResult = {
      name: 'offline',
      seed,
      seconds,
      sent,
      arrived: found.arrived,
      givenUp: found.givenUp,
      missing: sent - found.arrived - found.givenUp,
      cameTwice: found.twice,
      historyFileBytes,
      outboxMessages,
      liveMeanwhile,
      uploadRate: Math.round(ledger / uploadSeconds),
      uploadRateAllowed: REPLAY_PER_SECOND,
      ledger,
      inLog: found.messages,
    };
    clean = offlineFaults(result).length === 0;
    return result;
  } finally {
    if (!clean) say(`state and logs are kept in ${fleet.folder}`);
    await fleet.end({ keepFolder: !clean });
  }
}

const socketIn = (folder: string): string => join(folder, 'in', 'ingest.sock');

/** A name tells its number; a value is a wave with noise, three digits behind the point: about as much as real sensors tell. */
function samplesOf(second: number, count: number): object[] {
  const samples: object[] = [];
  for (let each = second; each < second + count; each += 1) {
    for (let index = 0; index < SERIES; index += 1) {
      const wave = 1000 * (20 + index + Math.sin(each / 300 + index));
      const value = Math.round(wave + noise(each * SERIES + index)) / 1000;
      samples.push({ series: `week.${index}`, at: START + 1000 * each, value });
    }
  }
  return samples;
}

/** From 0 to 65,535, the same each time: what cannot be packed. */
function noise(number: number): number {
  const mixed = Math.imul(number ^ (number >>> 15), 0x2c1b3c6d);
  return (Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39) >>> 16) & 0xffff;
}

async function send(socketPath: string, samples: readonly object[]): Promise<void> {
  const body = JSON.stringify(samples);
  for (;;) {
    const status = await post(socketPath, body);
    if (status === 202) return;
    if (status !== 429) throw new Error(`the collector answered ${status}`);
    await sleep(100);
  }
}

function post(socketPath: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const asked = request(
      { socketPath, path: '/v1/samples', method: 'POST', headers, agent: false },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

async function statusOf(fleet: TortureFleet): Promise<DeviceStatus> {
  const hub = hubVisitor(fleet.hubFolder);
  try {
    await new Promise<void>((resolve) => hub.onRegistered(() => resolve()));
    return await hub.request('status', {});
  } finally {
    hub.close();
  }
}

const messagesIn = ({ queue }: DeviceStatus): number =>
  Object.values(queue.lanes).reduce((sum, { messages }) => sum + messages, 0);

const jobIn = ({ apps }: DeviceStatus) => apps['telemetry-collector']?.jobs?.find(({ name }) => name === JOB);

/** Number of the newest live sample that the server has. */
async function lastLive(fleet: TortureFleet): Promise<number> {
  const response = await fetch(
    `${fleet.url}/v1/devices/demo/telemetry?series=live&from=${Date.now() - 60_000}`,
    {
      headers: { authorization: `Bearer ${fleet.token}` },
    },
  );
  const { samples = [] } = (await response.json()) as { samples?: { value: number }[] };
  return samples.at(-1)?.value ?? -1;
}

const sizeOf = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
