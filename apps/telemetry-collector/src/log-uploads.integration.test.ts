import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { History } from '@bowline/messages';
import { needs, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeJournal } from './testing/journal.ts';
import { startCollector } from './testing/running-collector.ts';
import {
  openTestGateway,
  TestStore,
  type TestGateway,
  type TestGatewayOptions,
} from './testing/test-gateway.ts';

let folder: string;
let store: TestStore;
let gateway: TestGateway;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'logs'));
  store = new TestStore();
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway.close();
});

const open = async (options: Partial<TestGatewayOptions> = {}) => {
  gateway = await openTestGateway(join(folder, 'hub'), { store, ...options });
};
async function start(uploads: object, ...flags: string[]): Promise<void> {
  const child = startCollector(
    folder,
    `--logDir=${join(folder, 'logs')}`,
    '--history.reserveBytes=0',
    `--history.uploads=${JSON.stringify(uploads)}`,
    ...flags,
  );
  children.push(child);
  await waitFor(() => gateway.peers().length > 0 && gateway.jobs() !== undefined);
}
const log = join('logs', 'kiosk.log');
/** Lines that hardly pack, so that many of them need several parts. */
const write = (from: number, to: number, at = Date.now()) =>
  appendFileSync(
    join(folder, log),
    Array.from({ length: to - from }, (_, index) => {
      const n = from + index;
      const noise = createHash('sha512').update(`${n}`).digest('base64');
      return `${JSON.stringify({ time: new Date(at).toISOString(), n, noise })}\n`;
    }).join(''),
  );
const job = (name: string) => gateway.jobs()?.find((each) => each.name === name);
/** Begins it and waits for its end. */
async function run(name: string): Promise<void> {
  const { runs = 0, failures = 0 } = job(name) ?? {};
  await gateway.ask('runJob', { job: name });
  await waitFor(() => {
    const { runs: now = 0, failures: failed = 0, state } = job(name) ?? {};
    return state === 'waiting' && (now > runs || failed > failures);
  });
}
const itemsOf = ({ encoding, data }: History) =>
  (encoding === 'json' ? data : JSON.parse(gunzipSync(Buffer.from(data as string, 'base64')).toString())) as {
    n?: number;
    message?: string;
  }[];
/** Of a part that came twice the later one counts, as on the server. */
const uploaded = () =>
  [...new Map(store.parts.map((part) => [`${part.orderId}/${part.part}`, part])).values()].flatMap(itemsOf);
const numbers = () => uploaded().map(({ n }) => n);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('uploads of logs on a schedule', () => {
  test('when one is configured, it sends what is new since the last one, from rotated files too, and shows in the jobs', async () => {
    await open();
    write(0, 10);
    await start({ kiosk: { kind: 'logs', app: 'kiosk', cron: '30 3 * * *' } });
    await run('upload-kiosk');
    expect(numbers()).toEqual(upTo(10));
    expect(store.parts[0]).toMatchObject({
      part: 0,
      last: true,
      upload: { job: 'kiosk', kind: 'logs', app: 'kiosk' },
    });
    await run('upload-kiosk');
    expect(store.parts).toHaveLength(1);
    write(10, 15);
    renameSync(join(folder, log), join(folder, `${log}.1`));
    write(15, 20);
    await run('upload-kiosk');
    expect(numbers()).toEqual(upTo(20));
    expect(store.parts[1]?.upload?.from).toBeLessThanOrEqual(store.parts[1]?.upload?.to ?? 0);
    expect(job('upload-kiosk')).toMatchObject({ schedule: '30 3 * * *', runs: 3, state: 'waiting' });
    expect(job('upload-kiosk')?.succeededAt).toBeGreaterThan(0);
  });

  test('when it is killed between two parts, it goes on under the same id, and nothing is missing or there twice', async () => {
    const state = { waiting: 0 };
    await open({
      waiting: () => state.waiting,
      accept: () => {
        if (store.parts.length >= 1) state.waiting = 1_000_000;
      },
    });
    write(0, 3000);
    await start({ kiosk: { kind: 'logs', app: 'kiosk' } });
    await gateway.ask('runJob', { job: 'upload-kiosk' });
    await waitFor(() => state.waiting > 0 && store.parts.length > 0);
    await children[0]?.kill();
    const before = store.parts.length;
    write(3000, 3010);
    state.waiting = 0;
    await start({ kiosk: { kind: 'logs', app: 'kiosk' } });
    await gateway.ask('runJob', { job: 'upload-kiosk' }).catch(() => undefined);
    await waitFor(() => {
      state.waiting = 0;
      return store.parts.some(({ last }) => last);
    });
    expect(before).toBeGreaterThan(0);
    expect(new Set(store.parts.map(({ orderId }) => orderId)).size).toBe(1);
    // What came meanwhile goes with it.
    expect(numbers()).toEqual(upTo(3010));
    await waitFor(() => job('upload-kiosk')?.state === 'waiting');
    write(3010, 3020);
    await run('upload-kiosk');
    expect(numbers()).toEqual(upTo(3020));
  });

  test('when the clock was wrong while something was logged, it is sent all the same, once, and what comes after it', async () => {
    await open();
    write(0, 2);
    await start({ kiosk: { kind: 'logs', app: 'kiosk' } });
    await run('upload-kiosk');
    write(2, 4, Date.UTC(2099, 0, 1));
    write(4, 6);
    write(6, 8, Date.UTC(1971, 0, 1));
    await run('upload-kiosk');
    write(8, 10, Date.UTC(2099, 0, 1));
    await run('upload-kiosk');
    write(10, 12);
    await run('upload-kiosk');
    expect(numbers()).toEqual(upTo(12));
  });

  test('when there is more than one upload may have, the next ones have the rest', async () => {
    await open();
    write(0, 3000);
    await start({ kiosk: { kind: 'logs', app: 'kiosk', maxBytes: 200_000 } });
    let runs = 0;
    for (; numbers().length < 3000 && runs < 10; runs += 1) await run('upload-kiosk');
    expect(runs).toBeGreaterThan(1);
    expect(numbers()).toEqual(upTo(3000));
    expect(store.parts.filter(({ last }) => last)).toHaveLength(runs);
  });

  test('when the cloud is away, it fails and says why, and the next run has all of it', async () => {
    await open({ link: 'offline' });
    write(0, 5);
    await start({ kiosk: { kind: 'logs', app: 'kiosk' } });
    await run('upload-kiosk');
    expect(job('upload-kiosk')?.lastError).toMatch(/away/);
    expect(store.parts).toEqual([]);
    gateway.linkIs('online');
    await waitFor(async () => {
      if (job('upload-kiosk')?.state === 'waiting') await run('upload-kiosk');
      return numbers().length > 0;
    });
    expect(numbers()).toEqual(upTo(5));
  });

  test.runIf(needs('systemd-journal-remote'))(
    'when the journal has one, it sends what is new there',
    async () => {
      await open();
      const at = Date.now() - 60_000;
      const entries = (from: number, to: number) =>
        upTo(to - from).map((index) => ({
          at: at + from + index,
          fields: { MESSAGE: `${from + index}`, SYSLOG_IDENTIFIER: 'kiosk' },
        }));
      const command = writeJournal(join(folder, 'journal'), entries(0, 5));
      await start(
        { system: { kind: 'journal', app: 'kiosk' } },
        `--history.journalCommand=${JSON.stringify(command)}`,
      );
      await run('upload-system');
      writeJournal(join(folder, 'journal'), entries(5, 9));
      await run('upload-system');
      expect(uploaded().map(({ message }) => message)).toEqual(upTo(9).map(String));
      expect(store.parts.at(-1)?.upload).toMatchObject({ job: 'system', kind: 'journal', app: 'kiosk' });
    },
  );
});
