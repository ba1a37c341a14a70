import { setTimeout as sleep } from 'node:timers/promises';
import type { HubClient } from '@bowline/ipc';
import { FaultProxy, isRunning, seededRandom, waitFor } from '@bowline/testing';
import { FakeCloud, type FakeLink, type UplinkRecord } from '@bowline/testing/fake-cloud';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayUnderTest } from './test-kit/gateway.ts';

const LINK = {
  allowInsecure: true,
  backoffBaseMs: 20,
  backoffCapMs: 100,
  connectDeadlineMs: 500,
  welcomeDeadlineMs: 1000,
  pingAfterMs: 200,
  deadAfterMs: 800,
  progressDeadlineMs: 5000,
};
const SAMPLE_EVERY_MS = 10;

const random = seededRandom();
let cloud: FakeCloud;
let proxy: FaultProxy;
let gateway: GatewayUnderTest;
let app: HubClient;
let cli: HubClient;
let pid: number;
/** Values of the samples that the gateway has accepted. */
const accepted: number[] = [];
const stopping = new AbortController();
let traffic: Promise<void>;

beforeAll(async () => {
  cloud = await FakeCloud.start();
  proxy = await FaultProxy.start(Number(new URL(cloud.origin).port), random);
  cloud.origin = `http://127.0.0.1:${proxy.port}`;
  gateway = new GatewayUnderTest(cloud, { link: LINK });
  const started = gateway.start();
  pid = started.pid;
  await started.output(/"message":"online"/);
  app = await gateway.app('telemetry-collector');
  cli = await gateway.app('cli');
  traffic = sendSamples();
  await recovered();
});
afterAll(async () => {
  stopping.abort();
  await traffic;
  app.close();
  cli.close();
});

async function sendSamples(): Promise<void> {
  for (let value = 0; !stopping.signal.aborted; value += 1) {
    const payload = { samples: [{ series: 'test.value', at: Date.now(), value }] };
    await app.enqueue([{ id: uuidv7(), type: 'telemetry', sentAt: Date.now(), payload }]);
    accepted.push(value);
    await sleep(SAMPLE_EVERY_MS);
  }
}

/** How each link, and each attempt at one, has ended so far. */
function ends(): { stage: string; code: string }[] {
  return (gateway.process?.stdout() ?? '')
    .split('\n')
    .filter((line) => line.includes('link is down'))
    .map((line) => JSON.parse(line) as { stage: string; code: string });
}

const codesSince = (count: number) =>
  ends()
    .slice(count)
    .map(({ code }) => code);

/** Does harm, and waits until a link or an attempt has ended by it as it should. */
async function harm(act: () => void, { stage, code }: { stage?: string; code?: string } = {}): Promise<void> {
  const before = ends().length;
  act();
  await waitFor(
    () =>
      ends()
        .slice(before)
        .some((end) => (stage ?? end.stage) === end.stage && (code ?? end.code) === end.code),
    { what: `a link to end (${stage} ${code})` },
  );
}

const valueOf = ({ payload }: UplinkRecord) =>
  (payload['samples'] as { value: number }[] | undefined)?.[0]?.value;
const samples = (records: readonly UplinkRecord[]) =>
  records.filter((record) => valueOf(record) !== undefined);

/** Waits for `count` more samples that the gateway accepts from here on. */
async function more(count: number): Promise<void> {
  const goal = accepted.length + count;
  await waitFor(() => accepted.length >= goal, { what: `${count} more samples to be accepted` });
}

/** Waits until a sample of now goes up live and all that was accepted before has arrived; then nothing may be wrong. */
async function recovered(): Promise<void> {
  const from = accepted.length;
  await waitFor(
    () => cloud.stored.findLast((record) => record.lane === 'telemetry' && (valueOf(record) ?? 0) >= from),
    {
      what: 'a live sample',
    },
  );
  const owed = accepted.slice(0, from);
  await waitFor(() => samples(cloud.stored).length >= from, { what: 'all accepted samples' });
  const arrived = samples(cloud.stored).map(valueOf);
  const once = new Set(arrived);
  expect(owed.filter((value) => !once.has(value))).toEqual([]); // lost
  expect(arrived).toHaveLength(once.size); // none twice
  for (const lane of ['telemetry', 'history']) {
    const ofLane = samples(cloud.stored).filter((record) => record.lane === lane);
    expectAscending(ofLane.map((record) => valueOf(record) ?? -1));
  }
  for (const link of cloud.links) expectInOrder(link);
  expectOneMessageASeq();
  expect(cloud.stored.filter(({ type }) => type === 'gap')).toEqual([]);
  expect({ pid: gateway.process?.pid, running: isRunning(pid) }).toEqual({ pid, running: true });
}

function expectAscending(numbers: number[]): void {
  expect(numbers.filter((number, index) => number <= (numbers[index - 1] ?? -1))).toEqual([]);
}

function expectInOrder({ frames }: FakeLink): void {
  for (const lane of ['results', 'events', 'telemetry', 'history'])
    expectAscending(frames.flatMap((frame) => (frame.lane === lane ? [frame.seq ?? -1] : [])));
}

/** Whatever came over whichever link: a seq of a lane stands for one message, and a message keeps its seq. */
function expectOneMessageASeq(): void {
  const epochs = new Set(cloud.links.flatMap(({ hello }) => (hello === undefined ? [] : [hello['epoch']])));
  expect(epochs.size).toBe(1);
  const durable = cloud.links.flatMap(({ frames }) => frames).filter(({ seq }) => seq !== undefined);
  const pairs = new Set(durable.map(({ lane, seq, id }) => `${lane} ${seq} ${id}`));
  expect(new Set(durable.map(({ lane, seq }) => `${lane} ${seq}`)).size).toBe(pairs.size);
  expect(new Set(durable.map(({ id }) => id)).size).toBe(pairs.size);
}

const newest = () => {
  const connection = proxy.connections.findLast(({ open }) => open);
  if (connection === undefined) throw new Error('no connection is open');
  return connection;
};

describe('the gateway behind a bad network', () => {
  it.each(['up', 'down', 'both'] as const)(
    'when everything that goes %s vanishes, it notices, tries on and comes back with everything',
    async (direction) => {
      await harm(() => proxy.drop(direction), { stage: 'online', code: 'silent' });
      await harm(() => undefined, { stage: 'upgrade', code: 'connect-timeout' });
      proxy.heal();
      await recovered();
    },
  );

  it('when bytes are only held up for a while, they arrive after it', async () => {
    proxy.hold('both');
    await more(10);
    proxy.heal();
    await recovered();
  });

  it('when bytes are held up for so long that the link is given up, what comes late at last changes nothing', async () => {
    await harm(() => proxy.hold('both'), { stage: 'online', code: 'silent' });
    await harm(() => undefined, { stage: 'upgrade', code: 'connect-timeout' });
    proxy.heal();
    await recovered();
  });

  it('when everything comes late and unevenly, nothing is lost', async () => {
    proxy.change('both', { delayMs: 50, jitterMs: 100 });
    await more(30);
    await recovered();
    proxy.heal();
    await recovered();
  });

  it('when the line is much slower than the samples, they arrive late but all, and that counts as progress', async () => {
    const endsBefore = ends().length;
    proxy.change('both', { bytesPerSecond: 8000 });
    const before = samples(cloud.stored).length;
    await waitFor(() => samples(cloud.stored).length >= before + 30);
    proxy.heal();
    await recovered();
    expect(codesSince(endsBefore)).not.toContain('no-progress');
  });

  it('when the connection is cut, it comes back with everything', async () => {
    await harm(() => proxy.cut(), { stage: 'online' });
    await recovered();
  });

  it.each(['up', 'down'] as const)(
    'when it is cut within a frame on its way %s, it comes back with everything',
    async (direction) => {
      for (let time = 0; time < 3; time += 1) {
        await harm(() => proxy.cutMidFrame(direction), { stage: 'online' });
        await recovered();
      }
    },
  );

  it('when only the device believes in the connection, it notices the silence', async () => {
    await harm(() => proxy.halfOpen('device'), { code: 'silent' });
    await recovered();
  });

  it('when only the server believes in the connection, the new one takes its place', async () => {
    const links = cloud.links.length;
    await harm(() => proxy.halfOpen('server'), { stage: 'online' });
    await recovered();
    expect(cloud.links.length).toBeGreaterThan(links);
  });

  it('when data of an older connection come after those of the newer, nothing changes', async () => {
    const old = newest();
    proxy.hold('up');
    await more(10);
    let deliver = () => {};
    await harm(() => (deliver = proxy.strand()));
    proxy.heal();
    await recovered();
    const before = old.server.bytesWritten;
    deliver();
    await waitFor(() => old.server.bytesWritten > before + 1000);
    await recovered();
  });

  it('when a whole connection comes to the server once more, it is refused and takes no place', async () => {
    await harm(() => proxy.cut());
    await recovered();
    const endsBefore = ends().length;
    expect(await proxy.replay(newest())).toContain('HTTP/1.1 401');
    await recovered();
    expect(codesSince(endsBefore)).not.toContain('closed-4409');
  });

  it('when the answer to the upgrade trickles in for ever, the attempt ends at its deadline', async () => {
    proxy.slowLoris(20);
    await harm(() => proxy.cut(), { stage: 'upgrade', code: 'connect-timeout' });
    proxy.heal();
    await recovered();
    const { attempts } = await cli.request('linkLog', {});
    const last = attempts.findLast(({ code }) => code === 'connect-timeout');
    // Timers count whole milliseconds: one may be over a fraction of one early.
    expect(last?.lastedMs).toBeGreaterThanOrEqual(LINK.connectDeadlineMs - 1);
  });

  it.each(['up', 'down'] as const)(
    'when garbage comes %s again and again, it costs the link and nothing else',
    async (direction) => {
      for (let time = 0; time < 5; time += 1) {
        await harm(() => proxy.garbage(direction, random.integer(16, 2048)), { stage: 'online' });
        await recovered();
      }
    },
  );

  it('when all of it is over, the ledger adds up and nothing was set aside', async () => {
    stopping.abort();
    await traffic;
    const { queue } = await waitFor(async () => {
      const status = await cli.request('status', {});
      const waiting = Object.values(status.queue.lanes).map(({ messages }) => messages);
      return waiting.every((messages) => messages === 0) && status;
    });
    expect(queue.deadLetters).toBe(0);
    const ledgers = ['telemetry', 'history'].map((lane) => queue.lanes[lane]?.ledger);
    const total = (count: 'accepted' | 'receipted') =>
      ledgers.reduce((sum, ledger) => sum + (ledger?.[count] ?? 0), 0);
    expect([total('accepted'), total('receipted')]).toEqual([accepted.length, accepted.length]);
    expect(samples(cloud.stored)).toHaveLength(accepted.length);
  });
});
