import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { connectHub } from '@bowline/ipc';
import type { Sample } from '@bowline/messages';
import { createLogger, systemClock } from '@bowline/runtime';
import { freePort } from '@bowline/testing';
import { v7 as newId } from 'uuid';
import type { BenchContext } from '../context.ts';
import { BenchDevice } from '../delivery/device.ts';
import { BenchServer } from '../delivery/server.ts';
import { toColumns } from './columns.ts';

export const FORMS = ['plain', 'columns'] as const;
export type Form = (typeof FORMS)[number];
export type Workload = readonly Sample[][];

/**
 * What messages cost on a real link: the built gateway and the built server, and between them a relay that counts the bytes that
 * go up, with frames, masks and all. One message at a time, each receipted before the next one, as a device sends them.
 *
 * The contract has no columns, so they travel in an event, which adds some 60 bytes a message before it is packed.
 *
 * @returns bytes of each workload, in each form.
 */
export async function measureLink(
  context: BenchContext,
  { compression, workloads }: { compression: boolean; workloads: readonly Workload[] },
): Promise<Record<Form, number>[]> {
  const name = compression ? 'packed' : 'unpacked';
  const server = new BenchServer(context, `${name}-server`, await freePort());
  await server.start();
  const relay = await startRelay(Number(new URL(server.origin).port));
  const device = new BenchDevice(context, name);
  const settings = device.linkTo(server.origin, await server.enrolmentToken());
  const url = `ws://127.0.0.1:${relay.port}/v1/devices/bench-device/link`;
  const link = { ...(settings['link'] as object), url, compression };
  await device.startGateway({ ...settings, link });
  await device.untilOnline();
  const hub = connectHub({
    folder: device.hubFolder,
    app: 'telemetry-collector',
    version: '0',
    orderTypes: [],
    log: createLogger({ app: 'bench', level: 'error' }),
    clock: systemClock,
  });
  const bytesOf = async (workload: Workload, form: Form): Promise<number> => {
    await device.untilEmpty();
    const before = relay.bytesUp();
    for (const samples of workload) {
      const sentAt = Date.now();
      const payload =
        form === 'plain'
          ? ({ type: 'telemetry', payload: { samples } } as const)
          : ({
              type: 'event',
              payload: { kind: 'columns', severity: 'info', at: sentAt, data: { ...toColumns(samples) } },
            } as const);
      await hub.enqueue([{ id: newId(), sentAt, ...payload }]);
      await device.untilEmpty();
    }
    return relay.bytesUp() - before;
  };
  const found: Record<Form, number>[] = [];
  for (const workload of workloads) {
    found.push({ plain: await bytesOf(workload, 'plain'), columns: await bytesOf(workload, 'columns') });
  }
  hub.close();
  await device.endGateway();
  relay.close();
  await server.end();
  return found;
}

/** Passes every byte on, and counts those of the device. */
async function startRelay(to: number): Promise<{ port: number; bytesUp(): number; close(): void }> {
  let bytes = 0;
  const server = createServer((device) => {
    const upstream = connect(to, '127.0.0.1');
    device.on('data', (chunk: Buffer) => (bytes += chunk.length));
    device.pipe(upstream).pipe(device);
    for (const socket of [device, upstream]) socket.on('error', () => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    bytesUp: () => bytes,
    close: () => void server.close(),
  };
}
