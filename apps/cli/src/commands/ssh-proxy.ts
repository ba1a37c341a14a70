import { readFileSync } from 'node:fs';
import { text as textOf } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { systemClock } from '@bowline/runtime/clock';
import { carry, TUNNEL_CLOSE, TUNNEL_SUBPROTOCOL, tunnelClientOptions, TunnelEnd } from '@bowline/tunnel';
import { WebSocket } from 'ws';
import { goByProxy, proxyAgentFor, proxyVariable } from '../adapters/go-by-proxy.ts';
import { harmless } from '../core/harmless.ts';

const HANDSHAKE_MS = 20_000;
const TICK_MS = 1000;
const STALL_MS = 24 * 3600 * 1000;

const WORDS: Record<number, string> = {
  [TUNNEL_CLOSE.sessionOver]: 'The session is over.',
  [TUNNEL_CLOSE.tooMany]: 'The session has as many connections as its grant allows.',
  [TUNNEL_CLOSE.restarting]: 'The server restarts: connect again in a moment.',
  1006: 'The connection to the server was lost.',
  1013: 'The server is busy: connect again in a moment.',
};
/** An end in good order, said or not (RFC 6455, section 7.4). */
const GOOD = [1000, 1005];

/** ssh's ProxyCommand: standard input and output through the relay. @returns the exit code. */
export async function sshProxy(tunnelFile: string): Promise<number> {
  const { url, token } = JSON.parse(readFileSync(tunnelFile, 'utf8')) as { url: string; token: string };
  goByProxy(process.env);
  const socket = new WebSocket(url, TUNNEL_SUBPROTOCOL, {
    headers: { authorization: `Bearer ${token}` },
    ...tunnelClientOptions(url, proxyAgentFor(url, process.env)),
    handshakeTimeout: HANDSHAKE_MS,
  });
  let refused: string | undefined;
  const variable = proxyVariable(url, process.env);
  if (variable !== undefined)
    socket.on(
      'error',
      ({ message }) => (refused ??= `Through the proxy that ${variable} names: ${message}.`),
    );
  socket.on('unexpected-response', async (_request, response: IncomingMessage) => {
    const body = await textOf(response).catch(() => '');
    refused = refusalIn(response.statusCode ?? 0, body);
    socket.terminate();
  });
  const end = new TunnelEnd(socket, systemClock, STALL_MS);
  const ticking = setInterval(() => end.tick(), TICK_MS);
  const code = await new Promise<number>((resolve) => {
    end.onClose(resolve);
    // ssh speaks first, and what it says before the socket is open waits in the pipe.
    socket.on('open', () => carry(end, { source: process.stdin, sink: process.stdout }));
  });
  clearInterval(ticking);
  const why =
    refused ??
    WORDS[code] ??
    (GOOD.includes(code) ? undefined : `The server closed the connection (${code}).`);
  if (why !== undefined) process.stderr.write(`${harmless(why)}\n`);
  return why === undefined ? 0 : 1;
}

function refusalIn(status: number, body: string): string {
  if (status === 401)
    return 'The relay does not take the token of this session: it is over, or of another server.';
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    if (typeof detail === 'string') return `The relay refused (${status}): ${detail}.`;
  } catch {
    // told by its status alone
  }
  return `The relay refused (${status}).`;
}
