import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { HubApp } from '@bowline/messages/hub/apps';
import { systemClock, type Logger } from '@bowline/runtime';
import { afterThisFile, temporaryFolder, waitFor } from '@bowline/testing';
import { connectHub, type HubClient, type HubClientOptions } from '../client.ts';
import { openHub, type Hub, type HubOptions } from '../hub.ts';
import { socketPath } from '../hub-folder.ts';
import { silentLog } from './messages.ts';

const log = silentLog as unknown as Logger;
export const newHubFolder = () => join(temporaryFolder(), 'hub');

const ORDER_TYPE = {
  'command-executor': 'command',
  'telemetry-collector': 'historyRequest',
  'ota-updater': 'softwareUpdate',
  'ssh-broker': 'sshAccess',
} as const;

/** A hub on real sockets that answers `register`; closed after the file at the latest. */
export async function testHub(folder: string, options: Partial<HubOptions> = {}): Promise<Hub> {
  const hub = await openHub({ folder, log, clock: systemClock, ...options });
  hub.handle('register', () => ({ deviceId: 'demo', bootId: 'boot', link: 'offline' }));
  afterThisFile(() => hub.close());
  return hub;
}

/** A client on a real socket; closed after the file at the latest. */
export function testClient(
  folder: string,
  app: Exclude<HubApp, 'cli'> = 'command-executor',
  options: Partial<HubClientOptions> = {},
): HubClient {
  const client = connectHub({
    folder,
    app,
    version: '1.2.3',
    orderTypes: [ORDER_TYPE[app]],
    log,
    clock: systemClock,
    backoff: { minMs: 5, baseMs: 20, capMs: 50 },
    ...options,
  });
  afterThisFile(() => client.close());
  return client;
}

export const registered = (client: HubClient) =>
  waitFor(() => client.connected, { what: 'the registration with the hub' });

/** Somebody who writes to the socket of an app what he likes. */
export async function rawConnection(folder: string, app: HubApp) {
  const socket: Socket = connect(socketPath(folder, app));
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  let received = '';
  let ended = false;
  socket.setEncoding('utf8').on('data', (text: string) => (received += text));
  socket.on('error', () => {}).on('close', () => (ended = true));
  afterThisFile(() => void socket.destroy());
  return {
    socket,
    send: (...messages: unknown[]) =>
      socket.write(`${JSON.stringify({ type: 'messages', data: messages })}\f`),
    /** One message with lines that go with it. */
    sendLines: (message: unknown, ...lines: unknown[]) =>
      socket.write(
        `${[{ type: 'messages', data: [message] }, ...lines].map((line) => JSON.stringify(line)).join('\n')}\f`,
      ),
    /** Every message that came. */
    messages: () =>
      received
        .split('\f')
        .slice(0, -1)
        .flatMap((frame) => (JSON.parse(frame) as { data: unknown[][] }).data),
    ended: () => ended,
  };
}
