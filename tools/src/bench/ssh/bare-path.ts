/**
 * The least that three processes with WebSockets between them can be: no tokens, no limits, no audit, no pings. What the tunnel is
 * compared with, so that one sees what is ours and what any such path costs.
 *
 * `bare-path.ts relay`, `bare-path.ts device PORT SSHD_CONFIG`, `bare-path.ts operator PORT` (ssh's ProxyCommand).
 */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { createWebSocketStream, WebSocket, WebSocketServer, type ClientOptions } from 'ws';

const OPTIONS: ClientOptions = { perMessageDeflate: false, generateMask: (mask) => void mask.fill(0) };
/** As much as a pipe holds. */
const STREAM = { highWaterMark: 256 * 1024 };
const [role, port = '', sshdConfig = ''] = process.argv.slice(2);

if (role === 'relay') relay();
else if (role === 'device') device();
else join(new WebSocket(`ws://127.0.0.1:${port}/operator`, OPTIONS), process.stdin, process.stdout);

function relay(): void {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  let waiting: WebSocket | undefined;
  server.on('connection', (socket, { url }) => {
    if (url === '/device') return void (waiting = socket);
    if (waiting === undefined) return socket.terminate();
    waiting.send('paired', () => undefined);
    const [one, other] = [createWebSocketStream(socket, STREAM), createWebSocketStream(waiting, STREAM)];
    one.pipe(other).pipe(one);
    for (const end of [one, other]) end.on('error', () => undefined);
  });
  server.on('listening', () => console.log((server.address() as { port: number }).port));
}

function device(): void {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/device`, OPTIONS);
  socket.once('message', () => {
    const sshd = spawn('/usr/sbin/sshd', ['-i', '-f', sshdConfig], { stdio: ['pipe', 'pipe', 'ignore'] });
    join(socket, sshd.stdout, sshd.stdin);
    device();
  });
}

function join(socket: WebSocket, source: Readable, sink: Writable): void {
  const stream = createWebSocketStream(socket, STREAM);
  source.pipe(stream).pipe(sink);
  for (const each of [stream, sink]) each.on('error', () => undefined);
  socket.on('close', () => role === 'operator' && process.exit());
}
