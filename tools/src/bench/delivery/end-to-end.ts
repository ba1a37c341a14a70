import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitFor } from '@bowline/testing';
import type { BenchContext } from '../context.ts';
import { residentMiB, writtenBytes, type BenchProcess } from '../processes.ts';
import { row, unmeasured, type Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';
import { startBarePipeline } from './bare-pipeline.ts';
import { BenchDevice } from './device.ts';
import { NO_BROKER, startPeers } from './mqtt-peers.ts';
import { inRounds, rate } from './rounds.ts';
import { BenchServer } from './server.ts';

const OUTSTANDING = 1024;
/** Messages a round: about a second each. */
const COUNTS = { ours: 240_000, bare: 400_000, memory: 100_000, level: 12_000 } as const;
const BACKLOG = 100_000;
const LARGE_BACKLOG = 1_000_000;
/** Room for the large backlog, whatever a record weighs. */
const QUEUE = { history: { messages: 2_000_000, bytes: 2 ** 30 } };

/**
 * The whole way, beside the bare pipeline and the peers in the same rounds; then a backlog of messages that gathered
 * without a server.
 */
export async function benchEndToEnd(context: BenchContext): Promise<Row[]> {
  const server = new BenchServer(context, 'server', await freePort());
  const device = new BenchDevice(context, 'device');
  await server.start();
  const link = { ...device.linkTo(server.origin, await server.enrolmentToken()), queue: QUEUE };
  const loopDelayFile = join(device.folder, 'loop-delay.json');
  const loopDelay = join(import.meta.dirname, 'loop-delay.js');
  await device.startGateway(link, {
    nodeArgs: [`--allow-fs-read=${loopDelay}`, `--allow-fs-write=${device.folder}/*`, '--import', loopDelay],
    env: { BENCH_LOOP_DELAY_FILE: loopDelayFile },
  });
  await device.untilOnline();
  const app = await device.startApp();
  const bare = await startBarePipeline(context, COUNTS.bare, OUTSTANDING);
  const peers = await startPeers(context, COUNTS, OUTSTANDING);

  let written = 0;
  const ours = async () => {
    const before = writtenBytes(device.gateway.pid);
    const found = await endToEnd(device, app);
    written = writtenBytes(device.gateway.pid) - before;
    return found;
  };
  const besides = peers === undefined ? {} : { memory: peers.memory, level: peers.level };
  const rates: Partial<Record<'memory' | 'level', number[]>> & Record<'ours' | 'bare', number[]> =
    await inRounds({ ours, bare: bare.round, ...besides });
  await bare.end();
  await peers?.end();

  device.gateway.signal('SIGUSR2');
  await endToEnd(device, app);
  device.gateway.signal('SIGUSR2');
  const delay = await waitFor(
    () => JSON.parse(readFileSync(loopDelayFile, 'utf8')) as Record<'p50' | 'p99' | 'max', number>,
  );

  const live = median(rates.ours);
  const against = (reference: number[], atLeast: number, name: string) =>
    row(`end to end against ${name}`, medianRatio(rates.ours, reference), '×', { goal: { atLeast } });
  const rows = [
    row('end to end, 1024 outstanding', live, 'msg/s', {
      note: 'app → IPC → gateway → LMDB → WebSocket → the server’s durable receipt → deletion',
    }),
    row('bare pipeline, 1024 outstanding', median(rates.bare), 'msg/s'),
    against(rates.bare, 0.5, 'the bare pipeline'),
    ...(rates.memory !== undefined && rates.level !== undefined
      ? [
          row('mqtt.js QoS 1, memory store, 1024 outstanding', median(rates.memory), 'msg/s'),
          row('mqtt.js QoS 1, mqtt-level-store, 1024 outstanding', median(rates.level), 'msg/s'),
          against(rates.memory, 2, 'mqtt.js with its memory store'),
          against(rates.level, 15, 'mqtt.js with mqtt-level-store'),
        ]
      : [unmeasured('mqtt.js QoS 1', 'msg/s', NO_BROKER)]),
    row('written by the gateway end to end', written / COUNTS.ours, 'bytes/msg'),
    row('event-loop delay of the gateway under that load, p50', delay.p50, 'ms'),
    row('event-loop delay of the gateway under that load, p99', delay.p99, 'ms'),
    row('event-loop delay of the gateway under that load, max', delay.max, 'ms'),
  ];
  return [...rows, ...(await benchReplay(context, { server, device, app, link, live }))];
}

/** Messages a second from the first hand-over until the last one is receipted and deleted. */
async function endToEnd(device: BenchDevice, app: BenchProcess): Promise<number> {
  await app.call('prepare', { count: COUNTS.ours });
  const begunAt = performance.now();
  await app.call('run', { outstanding: OUTSTANDING });
  await device.untilEmpty();
  return rate(COUNTS.ours, performance.now() - begunAt);
}

interface Running {
  server: BenchServer;
  device: BenchDevice;
  app: BenchProcess;
  /** The gateway's configuration. */
  link: Record<string, unknown>;
  /** Messages a second end to end. */
  live: number;
}

/** The gateway starts with the backlog in its store; then the server comes back. */
async function benchReplay(
  context: BenchContext,
  { server, device, app, link, live }: Running,
): Promise<Row[]> {
  const backlog = context.large ? LARGE_BACKLOG : BACKLOG;
  context.say(`replay of ${backlog.toLocaleString('en')} messages`);
  await server.end();
  await waitFor(async () => (await device.status()).link.state !== 'online', { what: 'the link to end' });
  await app.call('fill', { count: backlog });
  await app.end();
  await device.endGateway();

  const startedAt = performance.now();
  await device.startGateway(link);
  const startMs = performance.now() - startedAt;
  const waiting = await device.waitingMessages();
  const { pid } = device.gateway;
  const before = residentMiB(pid);
  const peak = { ...before };
  await server.start();
  await device.untilOnline();
  const left = await device.waitingMessages();
  const begunAt = performance.now();
  await device.untilEmpty(() => {
    const now = residentMiB(pid);
    peak.all = Math.max(peak.all, now.all);
    peak.anonymous = Math.max(peak.anonymous, now.anonymous);
  });
  const replayed = rate(left, performance.now() - begunAt);
  await device.endGateway();
  await server.end();
  const size = `${(backlog / 1000).toLocaleString('en')}k`;
  return [
    row(`backlog of ${size} found again after a restart`, waiting, 'messages', {
      goal: { atLeast: backlog },
    }),
    row(`start of the gateway with a backlog of ${size}`, startMs, 'ms'),
    row(`replay of a backlog of ${size}`, replayed, 'msg/s'),
    row('replay against the live rate', replayed / live, '×', { goal: { atLeast: 0.6 } }),
    row('growth of the gateway’s RSS during the replay', peak.all - before.all, 'MiB', {
      goal: { atMost: 30 },
      note: `of ${Math.round(before.all)} MiB; without the store’s mapped pages it grew by ${Math.round(peak.anonymous - before.anonymous)} of ${Math.round(before.anonymous)} MiB`,
    }),
  ];
}
