import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { FakeCloud } from '@bowline/testing/fake-cloud';
import { WebSocketServer, type WebSocket } from 'ws';
import type { AddressInfo } from 'node:net';
import { folderIn, type BenchContext } from '../context.ts';
import { MESSAGE_BYTES } from '../message.ts';
import { row, type Row } from '../row.ts';
import { median, percentile } from '../statistics.ts';
import { BenchDevice } from './device.ts';
import { inRounds, rate } from './rounds.ts';

const COMMANDS = 400;
const PINGS = 500;
const COMMITS = 200;
const SYNCS = 200;
const PUTS = 100_000;
const ECHOES = 30_000;
const OUTSTANDING = 1024;
const IPC_HOPS = 4;
const SHARE = 1.5;

/**
 * A command's round trip at the link: from the order's frame to the ack `succeeded`, one at a time, through the real
 * gateway and the real executor (`ping`). The cloud is the tests' fake one, which keeps nothing on disk, so that what is
 * timed is the device. Beside it the raw parts of which it should be little more than the sum.
 */
export async function benchRoundTrip(context: BenchContext): Promise<Row[]> {
  const cloud = await FakeCloud.start();
  const device = new BenchDevice(context, 'commands');
  await device.startGateway(device.linkTo(cloud.origin, cloud.token));
  await device.startExecutor();
  await device.untilOnline();
  const link = await cloud.link();
  const raw = await startRawParts(context);

  const times: number[] = [];
  const p50 = async (samples: Promise<number[]>) => median(await samples);
  const found = await inRounds({
    command: async () => {
      const round = await repeat(COMMANDS, () => runCommand(link));
      times.push(...round);
      return median(round);
    },
    ping: () => p50(repeat(PINGS, () => raw.webSocketPing())),
    commit: () => p50(raw.commits(COMMITS)),
    hop: async () => median(await repeat(PINGS, () => raw.unixSocketPing())) / 2,
    sync: () => p50(raw.syncs(SYNCS)),
    puts: () => raw.puts(PUTS, OUTSTANDING),
    echoes: () => raw.echoes(ECHOES, OUTSTANDING),
  });
  await device.endGateway();
  await cloud.close();
  await raw.end();

  const sums = found.command.map(
    (_, round) =>
      (found.ping[round] ?? NaN) + 3 * (found.commit[round] ?? NaN) + IPC_HOPS * (found.hop[round] ?? NaN),
  );
  const ratios = found.command.map((time, round) => time / (sums[round] ?? NaN));
  return [
    row('command round trip, p50', median(found.command), 'ms'),
    row('command round trip, p99', percentile(times.slice(COMMANDS), 0.99), 'ms'),
    row('sum of the raw parts', median(sums), 'ms', {
      note: `one ws ping-pong + 3 LMDB commits + ${IPC_HOPS} IPC hops`,
    }),
    row('command round trip against that sum', median(ratios), '×', { goal: { atMost: SHARE } }),
    row('raw ws ping-pong between two processes, p50', median(found.ping), 'ms'),
    row('raw ws echo, 1024 outstanding', median(found.echoes), 'msg/s'),
    row('raw IPC hop (half a unix socket’s round trip), p50', median(found.hop), 'ms'),
    row('raw LMDB commit of one record, p50', median(found.commit), 'ms'),
    row('raw LMDB, a record a message, 1024 outstanding', median(found.puts), 'msg/s'),
    row('write + fdatasync of 4 KiB', 1000 / median(found.sync), '1/s'),
  ];
}

/** Milliseconds from the order to its terminal ack. */
function runCommand(link: Awaited<ReturnType<FakeCloud['link']>>): Promise<number> {
  return new Promise((resolve) => {
    let orderId = '';
    const heard = (data: Buffer) => {
      const text = data.toString();
      if (!text.includes(orderId) || !text.includes('"succeeded"')) return;
      link.socket.off('message', heard);
      resolve(performance.now() - begunAt);
    };
    link.socket.on('message', heard);
    const begunAt = performance.now();
    orderId = link.order('command', { name: 'ping' });
  });
}

async function repeat(times: number, once: () => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (let done = 0; done < times; done += 1) found.push(await once());
  return found;
}

/** The other ends are in a process of their own, as on the real path. */
async function startRawParts(context: BenchContext) {
  const folder = folderIn(context, 'raw-parts');
  const path = join(folder, 'raw.sock');
  const webSockets = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  const unixSockets: Server = createServer().listen(path);
  await Promise.all([once(webSockets, 'listening'), once(unixSockets, 'listening')]);
  const worker = await context.processes.node('raw', join(import.meta.dirname, 'raw-worker.ts'));
  const accepted = Promise.all([once(webSockets, 'connection'), once(unixSockets, 'connection')]);
  await worker.call('echo', { port: (webSockets.address() as AddressInfo).port, path });
  const [[link], [socket]] = (await accepted) as [[WebSocket], [Socket]];
  const payload = Buffer.alloc(MESSAGE_BYTES, 'x');

  return {
    async webSocketPing() {
      const begunAt = performance.now();
      link.send(payload);
      await once(link, 'message');
      return performance.now() - begunAt;
    },
    async unixSocketPing() {
      const begunAt = performance.now();
      socket.write(payload);
      await once(socket, 'data');
      return performance.now() - begunAt;
    },
    echoes(count: number, outstanding: number) {
      return new Promise<number>((resolve) => {
        const begunAt = performance.now();
        let back = 0;
        const heard = () => {
          back += 1;
          if (back + outstanding <= count) link.send(payload);
          if (back < count) return;
          link.off('message', heard);
          resolve(rate(count, performance.now() - begunAt));
        };
        link.on('message', heard);
        for (let sent = 0; sent < outstanding; sent += 1) link.send(payload);
      });
    },
    commits: (count: number) => worker.call<number[]>('commits', { folder, count }),
    syncs: (count: number) => worker.call<number[]>('syncs', { folder, count }),
    puts: async (count: number, outstanding: number) =>
      rate(count, await worker.call<number>('puts', { folder, count, outstanding })),
    async end() {
      await worker.end();
      webSockets.close();
      unixSockets.close();
    },
  };
}
