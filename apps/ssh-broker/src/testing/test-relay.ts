import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TUNNEL_SUBPROTOCOL } from '@bowline/tunnel';
import { WebSocketServer, type WebSocket } from 'ws';

/** What a relay says to a device's socket. */
export const ATTACHED = JSON.stringify({ type: 'attached', nextToken: 'n', expiresAt: 1 });
export const PAIRED = JSON.stringify({ type: 'paired', stream: 1, operator: 'ada', remote: '' });

export interface TestRelay {
  /** `ws://HOST:PORT` */
  readonly origin: string;
  close(): void;
}

/** Takes every token; what it says to a socket is the caller's. */
export async function openTestRelay(onSocket: (socket: WebSocket) => void): Promise<TestRelay> {
  const server = createServer().listen(0, '127.0.0.1');
  const sockets = new WebSocketServer({ server, handleProtocols: () => TUNNEL_SUBPROTOCOL });
  sockets.on('connection', onSocket);
  await once(server, 'listening');
  return {
    origin: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
    },
  };
}
