import { createServer, request } from 'node:http';
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

/** An HTTP proxy, with a look at what goes through it: tunnels by CONNECT, and plain requests that it passes on. */
export class ConnectProxy {
  /** Of each CONNECT, granted or not: `HOST:PORT`; and of each plain request: `GET http://HOST/PATH`. */
  readonly asked: string[] = [];
  /** What devices have sent through its tunnels. */
  readonly passed: Buffer[] = [];
  /** Bytes that devices have been sent through its tunnels. */
  returnedBytes = 0;
  /** Answers nothing any more. */
  hangs = false;
  /** Answers this to everything, e.g. `502 Bad Gateway`. */
  says: string | undefined;
  /** Connections of devices that stand. */
  open = 0;
  port = 0;
  #cut = () => {};
  #stop = () => {};

  /** Ends every connection. */
  cut(): void {
    this.#cut();
  }

  /** It is gone: nobody listens any more. */
  stop(): void {
    this.#stop();
    this.#cut();
  }

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
    /** Where a request leads, or with what it is refused. */
    const judge = (to: string, login: string | undefined): number | string => {
      if (proxy.says !== undefined) return proxy.says;
      if (login !== wanted) return '407 Proxy Authentication Required';
      return routes[to] ?? '502 Bad Gateway';
    };
    server.on('request', ({ method, url = '', headers }, response) => {
      proxy.asked.push(`${method} ${url}`);
      if (proxy.hangs) return;
      const to = URL.parse(url);
      const port = judge(`${to?.hostname}:${to?.port || 80}`, headers['proxy-authorization']);
      if (typeof port === 'string') {
        response.writeHead(Number(port.slice(0, 3))).end();
        return;
      }
      const path = `${to?.pathname}${to?.search}`;
      const passOn = request({ port, host: '127.0.0.1', path, method, headers, agent: false }, (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        response.flushHeaders();
        answer.on('error', () => response.destroy());
        answer.pipe(response);
      });
      passOn.on('error', () => response.destroy());
      passOn.end();
    });
    server.on('connect', ({ url = '', headers }, client, head) => {
      client.on('error', () => undefined);
      proxy.asked.push(url);
      if (proxy.hangs) return void client.once('end', () => client.destroy()).resume();
      const port = judge(url, headers['proxy-authorization']);
      if (typeof port === 'string') {
        client.end(`HTTP/1.1 ${port}\r\n\r\n`);
        return;
      }
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        client.on('data', (chunk: Buffer) => proxy.passed.push(chunk));
        upstream.on('data', (chunk: Buffer) => (proxy.returnedBytes += chunk.length));
        client.pipe(upstream).pipe(client);
      });
      upstream.on('error', () => client.destroy());
      client.once('close', () => upstream.destroy());
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    proxy.port = (server.address() as AddressInfo).port;
    proxy.#cut = () => {
      for (const socket of sockets) socket.destroy();
    };
    proxy.#stop = () => void server.close();
    afterThisFile(() => proxy.stop());
    return proxy;
  }
}
