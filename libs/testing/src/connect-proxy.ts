import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterThisFile } from './clean-up.ts';

export interface ConnectProxyOptions {
  /** `name:password` that it asks for. */
  credentials?: string;
  /** PEM: speaks TLS itself. */
  tls?: { cert: string; key: string };
  /** Where a name leads, `HOST:PORT` to a port of this machine; every other one leads nowhere. */
  routes: Record<string, number>;
}

/** An HTTP proxy that knows CONNECT alone, with a look at what goes through it. */
export class ConnectProxy {
  /** Of each CONNECT, granted or not. */
  readonly asked: string[] = [];
  /** What devices have sent through it. */
  readonly passed: Buffer[] = [];
  /** Answers no CONNECT any more. */
  hangs = false;
  /** Connections of devices that stand. */
  open = 0;
  port = 0;

  static async start({ credentials, tls, routes }: ConnectProxyOptions): Promise<ConnectProxy> {
    const proxy = new ConnectProxy();
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      proxy.open += 1;
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        proxy.open -= 1;
        sockets.delete(socket);
      });
    });
    server.on('connect', ({ url = '', headers }, client, head) => {
      client.on('error', () => undefined);
      proxy.asked.push(url);
      if (proxy.hangs) return void client.once('end', () => client.destroy()).resume();
      const port = routes[url];
      const status =
        headers['proxy-authorization'] !== wanted
          ? '407 Proxy Authentication Required'
          : port === undefined && '502 Bad Gateway';
      if (status !== false || port === undefined) {
        client.end(`HTTP/1.1 ${status}\r\n\r\n`);
        return;
      }
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        client.on('data', (chunk: Buffer) => proxy.passed.push(chunk));
        client.pipe(upstream).pipe(client);
      });
      upstream.on('error', () => client.destroy());
      client.once('close', () => upstream.destroy());
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    proxy.port = (server.address() as AddressInfo).port;
    afterThisFile(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return proxy;
  }
}
