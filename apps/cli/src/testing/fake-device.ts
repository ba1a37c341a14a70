import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openHub, type Hub } from '@bowline/ipc';
import { UPLINK_LANES } from '@bowline/messages';
import type { DeviceStatus } from '@bowline/messages/hub';
import { callerEnvironment, Pm2 } from '@bowline/pm2';
import { createLogger, hashOf, systemClock } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { afterThisFile, temporaryFolder } from '@bowline/testing';

/** Says when it started, is ready soon, ends when asked. A file `mute` beside it: never ready; `crash`: ends at once. */
const APP = `
  import { existsSync } from 'node:fs';
  const beside = (name) => existsSync(new URL(name, import.meta.url));
  console.log(JSON.stringify({ level: 'info', time: new Date().toISOString(), app: 'a', message: 'started', pid: process.pid }));
  if (beside('crash')) process.exit(3);
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.on(event, () => process.exit(0));
  setInterval(() => {}, 60_000);
  if (!beside('mute')) setTimeout(() => process.send('ready'), 100);
`;

export interface FakeDevice {
  /** For --home. */
  home: string;
  hubFolder: string;
  logs: string;
  pm2: Pm2;
  /** Folder of an app's program, for `mute` and `crash`. */
  appFolder(app: string): string;
}

/** Two small programs under a real pm2, with the file by which the CLI finds them. */
export async function fakeDevice(
  apps = ['ws-gateway', 'ssh-broker'],
  { listenTimeoutMs = 60_000 } = {},
): Promise<FakeDevice> {
  const home = temporaryFolder();
  const logs = join(home, 'logs');
  const hubFolder = join(home, 'hub');
  const pm2 = new Pm2({ home: join(home, 'pm2'), env: callerEnvironment(process.env, {}) });
  const appFolder = (app: string) => join(home, 'apps', app);
  for (const folder of [logs, pm2.home, ...apps.map(appFolder)])
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  const entries = apps.map((name) => {
    writeFileSync(join(appFolder(name), 'main.mjs'), APP);
    return {
      name,
      script: join(appFolder(name), 'main.mjs'),
      interpreter: process.execPath,
      exec_mode: 'fork',
      wait_ready: true,
      listen_timeout: listenTimeoutMs,
      exp_backoff_restart_delay: 100,
      max_restarts: Number.MAX_SAFE_INTEGER,
      out_file: join(logs, `${name}.log`),
      error_file: join(logs, `${name}.stderr.log`),
      merge_logs: true,
      pmx: false,
      vizion: false,
    };
  });
  const ecosystem = join(home, 'ecosystem.config.cjs');
  writeFileSync(ecosystem, `module.exports = ${JSON.stringify({ apps: entries })};`);
  writeFileSync(
    join(home, 'run.json'),
    JSON.stringify({ runDir: home, hubFolder, pm2Home: pm2.home, configDir: home }),
  );
  afterThisFile(async () => {
    if (await pm2.isRunning()) await pm2.kill();
  });
  await pm2.start(ecosystem, apps);
  return { home, hubFolder, logs, pm2, appFolder };
}

/** The gateway's hub with answers to what the CLI asks; it has two dead letters. */
export async function fakeGateway(folder: string, link: DeviceStatus['link']): Promise<Hub> {
  const hub = await openHub({
    folder,
    log: createLogger({ app: 'test', write: () => undefined }),
    clock: systemClock,
  });
  const bootId = '00000000-0000-4000-8000-000000000000';
  hub.handle('register', () => ({ bootId, link: link.state }));
  hub.handle('status', () => statusOf(bootId, link));
  hub.handle('linkLog', () => ({
    attempts: [
      {
        at: Date.now(),
        stage: 'tcp',
        code: 'econnrefused',
        message: 'connect ECONNREFUSED',
        lastedMs: 12,
      },
    ],
  }));
  const letters = new Map([1, 2].map((number) => [number, letterOf(number)]));
  const take = (numbers: number[]) => ({ numbers: numbers.filter((number) => letters.delete(number)) });
  hub.handle('localHistory', ({ series, from, resolutionMs = 0 }) => {
    if (series === undefined) return { names: ['hw.temperature:cpu', 'level'], points: [] };
    if (series !== 'level') return { names: [series], points: [] };
    // Two answers: the first says where the second begins.
    const at = from < 2000 ? 1000 : 2000;
    const point = resolutionMs > 0 ? { at, min: 1, max: 3, avg: 2, count: 60 } : { at, value: at / 1000 };
    return { names: ['level'], unit: 'm', points: [point], ...(at === 1000 ? { next: 2000 } : {}) };
  });
  hub.handle('runJob', ({ app, job }) => {
    if (app !== 'telemetry-collector' || job !== 'history-upload')
      throw new RejectedError('unknown-job', `there is no job "${job}"`);
    return {};
  });
  hub.handle('deadLetters', () => ({ letters: [...letters.values()] }));
  hub.handle('deadLetter', ({ number }) => ({ message: { id: letterOf(number).id } }));
  hub.handle('resendDeadLetters', ({ numbers }) => take(numbers));
  hub.handle('purgeDeadLetters', ({ numbers }) => take(numbers));
  const entry = { key: 'series.cpu.intervalMs', value: 1000, source: 'cloud' as const, unit: 'ms' };
  const inherited = { key: 'logLevel', value: 'info', source: 'default' as const };
  hub.handle('config', () => ({
    version: 5,
    hash: 'a'.repeat(64),
    phase: 'settled',
    documents: [
      { version: 5, at: Date.now(), outcome: 'applied', apps: ['telemetry-collector'] },
      { version: 4, at: Date.now(), outcome: 'rolledBack', apps: [], why: 'ssh-broker: x is bad' },
    ],
    apps: {
      'telemetry-collector': { view: { hash: 'b'.repeat(64), entries: [entry, inherited] } },
      'ota-updater': { away: 'is not running' },
      'ws-gateway': { view: { hash: 'c'.repeat(64), entries: [] } },
    },
  }));
  hub.handle('configDocument', ({ version }) => ({
    version,
    sections: { 'telemetry-collector': { series: { cpu: { intervalMs: version * 100 } } } },
  }));
  hub.handle('rollbackConfig', ({ version }) => ({
    version,
    status: version === 4 ? 'rolledBack' : 'applied',
    errors: version === 4 ? [{ app: 'ssh-broker', key: 'x', message: 'is bad' }] : [],
  }));
  // A trial of `link.url=wss://nobody` fails; during that of `wss://restarts` the gateway is another one.
  let restarted = false;
  hub.handle('checkOverride', ({ override }) => {
    const { link = {} } = override as { link?: Record<string, unknown> };
    const unknown = Object.keys(link).filter((key) => key !== 'url');
    const faults = unknown.map((key) => ({
      key: `link.${key}`,
      message: 'unknown key: did you mean "link.url"?',
    }));
    return { faults, keys: ['link.url'], restart: [], link: ['link.url'] };
  });
  hub.handle('takeOverride', ({ hash }) => {
    if (hash === hashOf({ link: { url: 'wss://restarts' } })) {
      const again = { version: 5, status: 'unchanged' as const, errors: [], restarts: false };
      if (restarted) return again;
      restarted = true;
      throw new RejectedError('config-busy', 'another change is under way');
    }
    const isBad = hash === hashOf({ link: { url: 'wss://nobody' } });
    const errors = isBad
      ? [{ app: 'ws-gateway', key: '', message: 'no new link came to stand in time' }]
      : [];
    return { version: 5, status: isBad ? 'rolledBack' : 'applied', errors, tried: true, restarts: false };
  });
  afterThisFile(() => hub.close());
  return hub;
}

const letterOf = (number: number) => ({
  number,
  lane: 'events',
  seq: 40 + number,
  id: `01980000-0000-7000-8000-00000000000${number}`,
  type: 'event',
  bytes: 300,
  code: 'conflict',
  detail: 'another content is known under this seq',
  at: Date.now(),
});

function statusOf(bootId: string, link: DeviceStatus['link']): DeviceStatus {
  const ledger = { accepted: 10, receipted: 7, expired: 0, dropped: 1, rejected: 0, waiting: 2 };
  const lane = { messages: 2, bytes: 2048, first: 1, next: 3, oldestAt: Date.now() - 5000, ledger };
  return {
    device: { id: 'demo', bootId, agentVersion: '0.1.0', uptimeSeconds: 75 },
    link,
    queue: {
      epoch: bootId,
      lanes: Object.fromEntries(UPLINK_LANES.map((name) => [name, lane])),
      deadLetters: 1,
    },
    apps: {
      'ssh-broker': { state: 'ready', pid: 1, version: '0.1.0', since: Date.now() },
      'telemetry-collector': {
        state: 'ready',
        since: Date.now(),
        jobs: [
          {
            name: 'history-upload',
            schedule: 'every 900 s',
            state: 'waiting',
            startedAt: Date.now() - 61_000,
            runs: 3,
            failures: 1,
            skipped: 0,
            lastError: 'offline: the cloud is away',
          },
        ],
        notes: [{ code: 'same-moment', count: 12, detail: 'series a has more than one value' }],
      },
    },
    orders: [
      {
        orderId: '01980000-0000-7000-8000-000000000001',
        type: 'command',
        name: 'ping',
        status: 'succeeded',
        attempt: 1,
        receivedAt: Date.now() - 1000,
        endedAt: Date.now() - 900,
      },
    ],
    counters: {},
  };
}
