import { STATUS_CODES } from 'node:http';
import type { Refusal } from './problem.ts';

/** An HTTP answer on a socket that asked for an upgrade. */
export function answerUpgrade(
  socket: { end(text: string): unknown },
  { status, headers, body }: Refusal,
): void {
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`);
}
