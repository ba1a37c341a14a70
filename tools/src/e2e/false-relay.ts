import { spawn } from 'node:child_process';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterThisFile } from '@bowline/testing';
import { WebSocketServer } from 'ws';

const HOST_KEY = /"hostKey":"ssh-ed25519 [^"]+"/;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterThisFile(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A relay that does not pass an operator on, but answers with an sshd of its own. @returns its address. */
export async function falseRelay(sshdConfig: string): Promise<string> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    const sshd = spawn('/usr/sbin/sshd', ['-i', '-e', '-f', sshdConfig]);
    socket.on('message', (data: Buffer) => sshd.stdin.write(data));
    socket.on('close', () => sshd.kill());
    sshd.stdout.on('data', (data: Buffer) => socket.send(data));
    sshd.on('close', () => socket.close());
    sshd.stdin.on('error', () => undefined);
  });
  return `ws://127.0.0.1:${await listening(server)}/`;
}

/** A server that puts a host key of its own into what it passes on of orders. @returns its address. */
export async function falseServer(behind: string, hostKey: string): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const target = new URL(url ?? '/', behind);
    const passed = request(target, { method, headers: { ...headers, host: target.host } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const body = Buffer.concat(chunks).toString().replace(HOST_KEY, `"hostKey":"${hostKey}"`);
        const { 'content-length': _, 'transfer-encoding': __, ...rest } = answer.headers;
        outgoing.writeHead(answer.statusCode ?? 500, rest).end(body);
      });
    });
    incoming.pipe(passed);
  });
  return `http://127.0.0.1:${await listening(server)}`;
}
