import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { systemClock } from '@bowline/runtime';
import { FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { blobPath } from '../layout.ts';
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
const LAST = BIG.length - 1;
const HALF = 300_000;
const code = (name: string) => expect.objectContaining({ name: 'TransientError', code: name });

let repository: TestRepository;
let server: TestServer;
let folder: string;
let devices: TestDevice[];
let sha256: string;
/** So much of the content is here after {@link fetchHalf}: what is on its way when a connection breaks is lost. */
let half: number;
beforeEach(async () => {
  repository = await createTestRepository(temporaryFolder());
  const { manifest } = await repository.release({ 'data.bin': BIG });
  sha256 = manifest.files[0]?.sha256 ?? '';
  server = await serveFolder(repository.folder);
  folder = temporaryFolder();
  devices = [];
});
afterEach(async () => {
  for (const each of devices) each.close();
  await server.close();
});

function device(options: Partial<TestDeviceOptions> = {}): TestDevice {
  const made = testDevice({ urls: [server.url], folder, repository: repository.folder, ...options });
  devices.push(made);
  return made;
}
const laidOut = () => readFileSync(join(folder, 'out/data.bin'));
const bring = (options: Partial<TestDeviceOptions> = {}) => device(options).bring(join(folder, 'out'));
const isBlob = ({ url = '' }: IncomingMessage) => url.includes('/blobs/');
/** What was asked of contents, e.g. `[undefined, 'bytes=300000-']`. */
const ranges = () =>
  server.requests.filter(({ path }) => path.startsWith('blobs/')).map(({ range }) => range);

/** Of the content that is not whole yet, on the device's disk. */
const storedBytes = () => statSync(join(folder, 'state/content/partial', sha256)).size;

/** Sends half of the first content that is asked for and breaks the connection once some of it has been stored. */
function breakOnce(): (
  request: IncomingMessage,
  response: ServerResponse,
  file: Buffer | undefined,
) => boolean {
  let broken = false;
  return (request, response, file) => {
    if (broken || !isBlob(request) || file === undefined) return false;
    broken = true;
    response.writeHead(200, { etag: etagOf(file), 'content-length': file.length });
    response.write(file.subarray(0, HALF));
    void waitFor(() => storedBytes() > 0, { what: 'some of it to be stored' }).then(() => response.destroy());
    return true;
  };
}
/** Afterwards half of the content is here, with its tag. */
async function fetchHalf(): Promise<void> {
  server.behave = breakOnce();
  await expect(bring({ attempts: 1 })).rejects.toThrow(code('fetch-failed'));
  server.requests.length = 0;
  half = storedBytes();
  expect(half).toBeGreaterThan(0);
}

describe('a download', () => {
  test('when the connection breaks, it goes on where it was, and says which version it has', async () => {
    await fetchHalf();
    server.behave = undefined;
    const { progress } = await bring();
    expect(laidOut().equals(BIG)).toBe(true);
    const [blob] = server.requests.filter(({ path }) => path.startsWith('blobs/'));
    expect(blob).toMatchObject({ range: `bytes=${half}-`, ifRange: etagOf(BIG) });
    expect(progress).toMatchObject({ bytes: BIG.length, totalBytes: BIG.length });
  });

  test('when it breaks within one fetch, the rest is asked for', async () => {
    server.behave = breakOnce();
    await bring();
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=[1-9][0-9]*-$/)]);
    expect(laidOut().equals(BIG)).toBe(true);
  });

  test('when bits of the half were flipped on the disk, it is all fetched once more', async () => {
    await fetchHalf();
    const file = join(folder, 'state/content/partial', sha256);
    const damaged = readFileSync(file);
    damaged[1000] = (damaged[1000] ?? 0) ^ 1;
    writeFileSync(file, damaged);
    server.behave = undefined;
    await bring();
    expect(ranges()).toEqual([`bytes=${half}-`, undefined]);
    expect(laidOut().equals(BIG)).toBe(true);
  });

  test.each<[string, number, (from: number) => Record<string, string>]>([
    ['200 to a range', 200, () => ({})],
    ['a wrong start', 206, (from) => ({ 'content-range': `bytes ${from + 1}-${LAST}/${BIG.length}` })],
    ['a wrong end', 206, (from) => ({ 'content-range': `bytes ${from}-${LAST + 1}/${BIG.length}` })],
    ['a wrong total', 206, (from) => ({ 'content-range': `bytes ${from}-${LAST}/${BIG.length + 1}` })],
    ['no total', 206, (from) => ({ 'content-range': `bytes ${from}-${LAST}/*` })],
    ['no range', 206, () => ({})],
    [
      'another tag',
      206,
      (from) => ({ 'content-range': `bytes ${from}-${LAST}/${BIG.length}`, etag: '"other"' }),
    ],
    ['416', 416, (from) => ({ 'content-range': `bytes */${from}` })],
  ])('when the answer has %s, all is fetched anew and right', async (_, status, headers) => {
    await fetchHalf();
    server.behave = (request, response, file) => {
      if (!isBlob(request) || request.headers.range === undefined || file === undefined) return false;
      response.writeHead(status, headers(half)).end(status === 200 ? file : file.subarray(half));
      return true;
    };
    const { progress } = await bring();
    const anew = status === 200 ? [] : [undefined];
    expect(ranges()).toEqual([`bytes=${half}-`, ...anew]);
    expect(laidOut().equals(BIG)).toBe(true);
    expect(progress.bytes).toBe(BIG.length);
  });

  test.each<[string, string, (response: ServerResponse, file: Buffer) => void]>([
    [
      'is cut off behind its end of stream',
      'fetch-broken',
      (response, file) => response.end(file.subarray(0, HALF)),
    ],
    [
      'announces another length',
      'fetch-broken',
      (response, file) =>
        response
          .writeHead(200, { 'content-length': file.length + 1 })
          .end(Buffer.concat([file, Buffer.alloc(1)])),
    ],
    [
      'comes as gzip',
      'fetch-broken',
      (response, file) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(file)),
    ],
    [
      'is another content of the same length',
      'fetch-broken',
      (response, file) => response.end(Buffer.alloc(file.length)),
    ],
    [
      'is a part though all was asked for',
      'fetch-broken',
      (response, file) =>
        response.writeHead(206, { 'content-range': `bytes 0-${file.length - 1}/${file.length}` }).end(file),
    ],
    [
      'redirects in a circle',
      'fetch-broken',
      (response) => response.writeHead(302, { location: `/${blobPath(sha256)}` }).end(),
    ],
    [
      'redirects to a host that is no mirror',
      'fetch-broken',
      (response) => response.writeHead(302, { location: 'http://127.0.0.2:9/x' }).end(),
    ],
    ['is not there', 'fetch-refused', (response) => response.writeHead(404).end()],
    ['is an error of the server', 'fetch-refused', (response) => response.writeHead(503).end()],
    ['never comes', 'fetch-stalled', () => {}],
    ['stops in the middle', 'fetch-stalled', (response, file) => response.write(file.subarray(0, HALF))],
    ['comes at a byte now and then', 'fetch-stalled', (response, file) => drip(response, file)],
  ])(
    'when an answer %s, it fails as %s, the next mirror is asked, and without one nothing is laid out',
    async (_, why, lie) => {
      // Its time passes while the liar lets it wait, and until the next mirror is asked.
      const clock = why === 'fetch-stalled' ? new FakeClock() : systemClock;
      const others: TestServer[] = [];
      const isOver = () => others.every(({ requests }) => requests.length > 0);
      server.behave = (request, response, file) => {
        if (!isBlob(request) || file === undefined) return false;
        lie(response, file);
        if (clock instanceof FakeClock) void passTime(clock, response, isOver);
        return true;
      };
      const slow = { clock, stallMs: 5000, minBytesPerSecond: 1000, attempts: 1 };
      await expect(bring(slow)).rejects.toThrow(code(why));
      expect(readdirSync(folder)).toEqual(['state']);
      const good = await serveFolder(repository.folder);
      others.push(good);
      try {
        await device({ ...slow, urls: [server.url, good.url] }).bring(join(folder, 'out'));
        expect(laidOut().equals(BIG)).toBe(true);
      } finally {
        await good.close();
      }
    },
  );

  test('when identity was asked for and gzip comes, nothing of it is stored, and the error says so', async () => {
    server.behave = (request, response, file) => {
      if (!isBlob(request) || file === undefined) return false;
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(file));
      return true;
    };
    await expect(bring({ attempts: 1 })).rejects.toThrow(/is sent as gzip/);
    expect(storedBytes()).toBe(0);
  });

  test('when the body never ends, reading stops at the signed length', async () => {
    let closed = false;
    server.behave = (request, response, file) => {
      if (!isBlob(request) || file === undefined) return false;
      response.on('close', () => (closed = true));
      const more = () => closed || response.write(Buffer.alloc(65_536), () => setImmediate(more));
      response.write(file, more);
      return true;
    };
    await bring();
    expect(laidOut().equals(BIG)).toBe(true);
    await waitFor(() => closed);
  });

  test('when a redirect leads to another mirror of this device, it is followed', async () => {
    const other = await serveFolder(repository.folder);
    server.behave = (request, response) => {
      if (!isBlob(request)) return false;
      response.writeHead(307, { location: new URL(request.url ?? '', other.url).href }).end();
      return true;
    };
    await bring({ redirectsTo: [new URL(other.url).origin] });
    expect(laidOut().equals(BIG)).toBe(true);
    await other.close();
  });

  test('when a mirror is not there at all, the next one serves metadata and contents', async () => {
    await bring({ urls: ['http://127.0.0.1:9/', server.url] });
    expect(laidOut().equals(BIG)).toBe(true);
  });

  test('when it is called off, it ends with the reason, and what came is kept', async () => {
    server.behave = (request, response, file) => {
      if (!isBlob(request) || file === undefined) return false;
      response.write(file.subarray(0, HALF));
      return true;
    };
    const { source, resolve } = device();
    const plan = await resolve();
    const until = new AbortController();
    const reason = new Error('called off');
    await expect(
      source.fetch(
        plan,
        ({ bytes }) => bytes > 0 && setTimeout(() => until.abort(reason), 100),
        until.signal,
      ),
    ).rejects.toBe(reason);
    server.behave = undefined;
    server.requests.length = 0;
    await bring();
    expect(ranges()[0]).toMatch(/^bytes=[1-9]/);
  });

  test('when the rate is capped, it takes its time', async () => {
    const from = performance.now();
    await bring({ bytesPerSecond: 350_000 });
    expect(performance.now() - from).toBeGreaterThan(900);
    expect(laidOut().equals(BIG)).toBe(true);
  });

  test('when a release was given up, what was fetched of it makes room for the next', async () => {
    await fetchHalf();
    server.behave = undefined;
    await repository.release({ a: 'other' }, { version: '2.0.0' });
    await device().bring(join(folder, 'two'), { version: '2.0.0' });
    expect(readdirSync(join(folder, 'state/content/partial'))).toEqual([]);
    await device().source.discard();
    expect(readdirSync(join(folder, 'state/content'))).toEqual(['partial']);
  });
});

/** Until the device has given the answer up, and then until it is over. */
async function passTime(clock: FakeClock, response: ServerResponse, isOver: () => boolean): Promise<void> {
  while (!response.closed || !isOver()) await clock.advance(100);
}

function drip(response: ServerResponse, file: Buffer): void {
  let at = 0;
  const timer = setInterval(() => response.write(file.subarray(at, (at += 1))), 20);
  response.on('close', () => clearInterval(timer));
}
