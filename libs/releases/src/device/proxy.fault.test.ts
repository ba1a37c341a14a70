import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { LOOPBACK, type ProxySettings } from '@bowline/runtime/proxy';
import { afterThisFile, needs, temporaryFolder, waitFor } from '@bowline/testing';
import { certificateAuthority } from '@bowline/testing/certificates';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  createTestRepository,
  etagOf,
  serveFolder,
  testDevice,
  type TestDevice,
  type TestDeviceOptions,
  type TestRepository,
  type TestServer,
} from '../testing/index.ts';

const BIG = randomBytes(700_000);
const BIG_SHA256 = createHash('sha256').update(BIG).digest('hex');
const HALF = 300_000;
const code = (name: string, message = '') =>
  expect.objectContaining({ name: 'TransientError', code: name, message: expect.stringContaining(message) });

let repository: TestRepository;
let server: TestServer;
let folder: string;
let devices: TestDevice[];
let proxy: ConnectProxy;
let ca: string | undefined;
let routes: Record<string, number>;
beforeAll(async () => {
  repository = await createTestRepository(temporaryFolder());
  const small = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`small-${at}`, `${at}`]));
  await repository.release({ 'data.bin': BIG, ...small });
  server = await serveFolder(repository.folder);
  const plain = Number(new URL(server.url).port);
  routes = { 'mirror.example:80': plain, 'other.example:80': plain };
  if (needs('openssl')) routes['mirror.example:443'] = await overTls(plain);
});
afterAll(() => server.close());
beforeEach(async () => {
  server.behave = undefined;
  server.requests.length = 0;
  folder = temporaryFolder();
  devices = [];
  proxy = await ConnectProxy.start({ credentials: 'device:se cret', routes });
});
afterEach(() => {
  for (const each of devices) each.close();
  proxy.stop();
});

async function overTls(port: number): Promise<number> {
  const authority = certificateAuthority();
  ca = authority.ca;
  const tls = createTlsServer(authority.issue('DNS:mirror.example'), (socket) => {
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => socket.destroy());
    socket.on('error', () => plain.destroy());
    socket.pipe(plain).pipe(socket);
  });
  await new Promise<void>((done) => tls.listen(0, '127.0.0.1', done));
  afterThisFile(() => void tls.close());
  return (tls.address() as AddressInfo).port;
}

const through = (port = proxy.port, login = 'device:se%20cret@', except: readonly string[] = []) => ({
  url: new URL(`http://${login}127.0.0.1:${port}`),
  except,
});
function device(url: string, way: ProxySettings | (() => ProxySettings), more = {}): TestDevice {
  const options: TestDeviceOptions = { urls: [url], folder, repository: repository.folder, ca, ...more };
  const now = typeof way === 'function' ? way : () => way;
  const made = testDevice({ ...options, proxy: now });
  devices.push(made);
  return made;
}
const out = () => join(folder, 'out');
const laidOut = () => readFileSync(join(out(), 'data.bin'));
const TLS = 'https://mirror.example/';
const PLAIN = 'http://mirror.example/';

describe('releases through a proxy', () => {
  test.runIf(needs('openssl'))(
    'when the mirror speaks TLS, it goes through tunnels that are used again, and the proxy sees nothing of it',
    async () => {
      await device(TLS, through()).bring(out());
      expect(laidOut()).toEqual(BIG);
      expect(new Set(proxy.asked)).toEqual(new Set(['mirror.example:443']));
      expect(server.requests.length).toBeGreaterThan(30);
      expect(proxy.asked.length).toBeLessThan(10); // four downloads at a time, and answers that were not read to their end
      expect(Buffer.concat(proxy.passed).includes('GET ')).toBe(false);
    },
  );

  test('when the mirror does not, its requests are passed on, redirects to another mirror, too', async () => {
    server.behave = ({ url = '', headers }, response) => {
      if (headers.host !== 'mirror.example') return false;
      response.writeHead(302, { location: `http://other.example${url}` }).end();
      return true;
    };
    await device(PLAIN, through(), { redirectsTo: ['http://other.example'] }).bring(out());
    expect(laidOut()).toEqual(BIG);
    expect(proxy.asked).toContain('GET http://mirror.example/metadata/timestamp.json');
    expect(proxy.asked).toContain('GET http://other.example/metadata/timestamp.json');
    expect(proxy.passed).toEqual([]);
  });

  test.each(
    [['TLS', TLS] as const, ['no TLS', PLAIN] as const].filter(
      ([, url]) => url === PLAIN || needs('openssl'),
    ),
  )(
    'when the proxy is cut off in the middle of a download with %s, it goes on from there',
    async (_, url) => {
      let cut = false;
      server.behave = (request, response, file) => {
        if (cut || request.headers.range !== undefined || file?.length !== BIG.length) return false;
        cut = true;
        response.writeHead(200, { etag: etagOf(file), 'content-length': file.length });
        response.write(file.subarray(0, HALF));
        const partial = join(folder, 'state/content/partial', BIG_SHA256);
        void waitFor(() => statSync(partial).size > 0, { what: 'some of it to be stored' }).then(() =>
          proxy.cut(),
        );
        return true;
      };
      await device(url, through()).bring(out());
      expect(laidOut()).toEqual(BIG);
      const ranges = server.requests.filter(({ range }) => range !== undefined);
      expect(ranges).toMatchObject([{ range: expect.stringMatching(/^bytes=[1-9]/), ifRange: etagOf(BIG) }]);
    },
  );

  test('when the mirror is on this device, it is reached directly, unless nothing is excepted', async () => {
    const port = new URL(server.url).port;
    await device(server.url, through(proxy.port, 'device:se%20cret@', LOOPBACK)).resolve();
    expect(proxy.asked).toEqual([]);
    const asked = device(server.url, through(), { folder: temporaryFolder() }).resolve();
    await expect(asked).rejects.toThrow(code('fetch-refused', 'answers 502')); // it knows no such route
    expect(proxy.asked[0]).toBe(`GET http://127.0.0.1:${port}/metadata/1.root.json`);
  });

  test('when another proxy is set, what goes on goes through that', async () => {
    let way = through(1);
    const made = device(PLAIN, () => way, { attempts: 1 });
    await expect(made.resolve()).rejects.toThrow(code('fetch-failed', 'ECONNREFUSED'));
    way = through();
    await made.bring(out());
    expect(laidOut()).toEqual(BIG);
  });
});

describe.runIf(needs('openssl'))('a proxy that fails', () => {
  const failure = (way: ProxySettings, more = {}) => device(TLS, way, { attempts: 1, ...more }).resolve();

  test.each(['407 Proxy Authentication Required', '403 Forbidden', '502 Bad Gateway', '301 Moved'])(
    'when it says %s, the error names proxy and answer, without its password, and may pass',
    async (says) => {
      proxy.says = says;
      const error = await failure(through()).catch((each: unknown) => each);
      expect(error).toEqual(code('proxy-refused', `the proxy 127.0.0.1:${proxy.port} answered ${says}`));
      expect(`${JSON.stringify(error)}${(error as Error).stack}`).not.toMatch(/se(%20| )cret/);
    },
  );

  test('when it does not answer, it is given up in time, and no connection is left', async () => {
    proxy.hangs = true;
    await expect(failure(through(), { stallMs: 500 })).rejects.toThrow(
      code('proxy-timeout', 'within 500 ms'),
    );
    await waitFor(() => proxy.open === 0, { what: 'its connections to be gone' });
  });

  test('when it is away, that is said', async () => {
    proxy.stop();
    await expect(failure(through())).rejects.toThrow(code('proxy-unreachable', 'ECONNREFUSED'));
  });

  test('when its answer has no end, it is given up after a bounded part of it', async () => {
    let sent = 0;
    const endless = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n');
      const more = () => {
        while (!socket.destroyed && socket.write(`x: ${'y'.repeat(1000)}\r\n`)) sent += 1000;
        socket.once('drain', more);
      };
      more();
    });
    await new Promise<void>((done) => endless.listen(0, '127.0.0.1', done));
    afterThisFile(() => void endless.close());
    const { port } = endless.address() as AddressInfo;
    await expect(failure(through(port))).rejects.toThrow(code('proxy-unreachable', 'Header'));
    expect(sent).toBeLessThan(64 * 2 ** 20); // of the socket's buffers, not of our memory
  });

  test('when it refuses a plain request, that is told from an answer of the server', async () => {
    const wrong = through(proxy.port, 'device:wrong@');
    const asked = device(PLAIN, wrong, { attempts: 1 }).resolve();
    await expect(asked).rejects.toThrow(code('proxy-refused', 'answered 407'));
  });

  test('when a device closes while a tunnel is being opened, none is left', async () => {
    proxy.hangs = true;
    const made = device(TLS, through(), { attempts: 1 });
    const asked = made.resolve().catch((error: unknown) => error);
    await waitFor(() => proxy.asked.length > 0);
    made.supply.close();
    expect(await asked).toEqual(code('stopped'));
    await waitFor(() => proxy.open === 0, { what: 'its connections to be gone' });
  });
});
