import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { PM2_SCRIPT, type Pm2Process } from '@bowline/pm2';
import { waitFor } from '@bowline/testing';
import { testDevice, type TestDevice } from './testing/test-device.ts';

const APPS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker'];

const named = async ({ pm2 }: TestDevice, app: string): Promise<Pm2Process> => {
  const found = (await pm2.list()).find(({ name }) => name === app);
  if (found === undefined) throw new Error(`pm2 has no ${app}`);
  return found;
};
const environmentOf = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');

describe('an app that crashes at once', () => {
  // The delay grows by half from 100 ms to 15 s; from 1 ms it stays at 1 ms, since pm2 rounds down.
  const impatient = { BOWLINE_RESTART_DELAY_MS: '1' };

  test('when it has crashed 40 times, pm2 still starts it anew', async () => {
    const device = testDevice({ 'ws-gateway': 'process.exit(3);' }, process.env, impatient);
    await device.pm2.start(device.ecosystem, ['ws-gateway']);

    await waitFor(async () => (await named(device, 'ws-gateway')).restarts > 40, { everyMs: 200 });

    const { restarts, status } = await named(device, 'ws-gateway');
    expect(status).not.toBe('errored');
    await waitFor(async () => (await named(device, 'ws-gateway')).restarts > restarts, { everyMs: 200 });
  });

  test('when max_restarts is left to pm2, it gives the same app up after 16 crashes', async () => {
    const device = testDevice({ 'ws-gateway': 'process.exit(3);' }, process.env, impatient);
    const original = readFileSync(device.ecosystem, 'utf8');
    const weakened = original.replace(/max_restarts: .*,\n/, '');
    expect(weakened).not.toBe(original);
    writeFileSync(device.ecosystem, weakened);
    await device.pm2.start(device.ecosystem, ['ws-gateway']);

    const daemonLog = join(device.pm2.home, 'pm2.log');
    await waitFor(() =>
      readFileSync(daemonLog, 'utf8').includes('too many unstable restarts (16). Stopped.'),
    );
    expect((await named(device, 'ws-gateway')).restarts).toBe(15);
  });

  test('when it crashes, the delay before its restart grows and the others stay up', async () => {
    const device = testDevice({ 'ota-updater': 'process.exit(3);' });
    await device.pm2.start(device.ecosystem, APPS);
    const others = async () => (await device.pm2.list()).filter(({ name }) => name !== 'ota-updater');
    const before = await others();

    await waitFor(async () => (await named(device, 'ota-updater')).restarts >= 4, { everyMs: 100 });

    const delays = [
      ...readFileSync(join(device.pm2.home, 'pm2.log'), 'utf8').matchAll(/will restart in (\d+)ms/g),
    ];
    expect(delays.slice(0, 4).map(([, ms]) => Number(ms))).toEqual([100, 150, 225, 337]);
    expect((await others()).map(({ pid, restarts }) => [pid, restarts])).toEqual(
      before.map(({ pid }) => [pid, 0]),
    );
  });
});

test('when time goes by, pm2 starts the upkeep again and again and lists it as stopped in between', async () => {
  const program = "console.log(process.argv.slice(2).join(' '));";
  const device = testDevice({ cli: program }, process.env, {
    BOWLINE_LOGROTATE_CONF: '/etc/logrotate.d/bowline',
  });
  const everyMinute = readFileSync(device.ecosystem, 'utf8');
  const everySecond = everyMinute.replace("'* * * * *'", "'* * * * * *'");
  expect(everySecond).not.toBe(everyMinute);
  writeFileSync(device.ecosystem, everySecond);
  await device.pm2.start(device.ecosystem, ['upkeep']);

  const run = `upkeep --pm2-home ${device.pm2.home} --rotate /etc/logrotate.d/bowline\n`;
  await waitFor(() => device.log('upkeep').startsWith(run.repeat(3)), { what: 'three runs' });
  await waitFor(async () => (await named(device, 'upkeep')).status === 'stopped', { everyMs: 100 });
});

describe('what an app inherits', () => {
  test('when the caller has secrets and settings, an app gets the settings that are its own and no more', async () => {
    const env = {
      ...process.env,
      AWS_SECRET_ACCESS_KEY: 'secret',
      BOWLINE_WS_GATEWAY__LOG_LEVEL: 'debug',
    };
    const device = testDevice({}, env);
    await device.pm2.start(device.ecosystem, ['ws-gateway', 'ssh-broker']);
    const gateway = environmentOf((await named(device, 'ws-gateway')).pid);
    const broker = environmentOf((await named(device, 'ssh-broker')).pid);
    const daemon = environmentOf(device.pm2.daemonPid() ?? 0);

    expect(gateway).toContain('BOWLINE_WS_GATEWAY__LOG_LEVEL=debug');
    expect(broker.filter((entry) => entry.startsWith('BOWLINE_'))).toEqual([
      'BOWLINE_SSH_BROKER__RUN_FOLDER=/run/bowline/ssh-broker',
    ]);
    for (const inherited of [gateway, broker, daemon]) {
      expect(inherited.filter((entry) => entry.includes('AWS_'))).toEqual([]);
      expect(inherited.some((entry) => entry.startsWith('PATH='))).toBe(true);
    }
  });

  test('when an app runs, no code of pm2 is in its process', async () => {
    const device = testDevice({});
    await device.pm2.start(device.ecosystem, ['ws-gateway']);

    const { pid } = await named(device, 'ws-gateway');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    expect(command[0]).toBe(join(device.root, 'runtime'));
    expect(command.filter((part) => part.includes('pm2'))).toEqual([]);
  });
});

describe('logs', () => {
  const chatty = `
    for (let n = 0; n < 2000; n += 1) console.log(JSON.stringify({ app: 'ws-gateway', n, text: 'x'.repeat(200) }));
    console.error('a warning of Node itself');
    setInterval(() => console.log(JSON.stringify({ app: 'ws-gateway', n: -1, text: 'later' })), 20);
    process.on('SIGINT', () => process.exit(0));
    process.send('ready');
  `;

  test('when an app writes, its log holds one JSON object a line and what goes to stderr is apart', async () => {
    const device = testDevice({ 'ws-gateway': chatty });
    await device.pm2.start(device.ecosystem, ['ws-gateway']);
    await waitFor(() => device.log('ws-gateway').includes('later'));
    await device.pm2.kill();

    const records = device
      .log('ws-gateway')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { n: number });
    expect(records.slice(0, 2000).map(({ n }) => n)).toEqual(Array.from({ length: 2000 }, (_, n) => n));
    expect(readFileSync(join(device.logs, 'ws-gateway.stderr.log'), 'utf8')).toBe(
      'a warning of Node itself\n',
    );
  });

  test('when a log has been renamed and pm2 is told, the next lines go to a new file', async () => {
    const device = testDevice({ 'ws-gateway': chatty });
    await device.pm2.start(device.ecosystem, ['ws-gateway']);
    const file = join(device.logs, 'ws-gateway.log');
    renameSync(file, `${file}.1`);

    execFileSync(process.execPath, [PM2_SCRIPT, '--silent', 'reloadLogs'], {
      env: { ...process.env, PM2_HOME: device.pm2.home, PM2_DISABLE_VERSION_CHECK: 'true' },
    });

    await waitFor(() => device.log('ws-gateway').includes('later'));
    expect(() =>
      device
        .log('ws-gateway')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object),
    ).not.toThrow();
  });
});

describe('stopping', () => {
  test('when the apps are stopped, each is asked with SIGINT and none of its children is', async () => {
    const parent = `
      const { spawn } = await import('node:child_process');
      const child = spawn(process.execPath, ['-e', 'process.on("SIGINT", () => console.log("child: SIGINT")); setInterval(() => {}, 1e5)'], { stdio: ['ignore', 'inherit', 'inherit'] });
      process.on('SIGINT', () => { console.log('parent: SIGINT'); child.kill('SIGKILL'); child.on('exit', () => process.exit(0)); });
      setTimeout(() => process.send('ready'), 300);
    `;
    const device = testDevice({ 'command-executor': parent });
    await device.pm2.start(device.ecosystem, ['command-executor']);
    await device.pm2.kill();
    expect(device.log('command-executor')).toBe('parent: SIGINT\n');
  });
});

test('when the file is loaded without any variable, its paths are those of an installed device', () => {
  const { PATH } = process.env;
  const file = createRequire(import.meta.url).resolve('../ecosystem.config.cjs');
  const text = execFileSync(process.execPath, ['-p', `JSON.stringify(require(${JSON.stringify(file)}))`], {
    env: { PATH },
    encoding: 'utf8',
  });
  const { apps } = JSON.parse(text) as { apps: { name: string; args: string[]; out_file: string }[] };

  expect(apps.map(({ name }) => name)).toEqual([...APPS, 'upkeep']);
  expect(apps[0]).toMatchObject({
    args: ['--config', '/etc/bowline/ws-gateway.json'],
    out_file: '/var/lib/bowline/logs/ws-gateway.log',
  });
  expect(apps.at(-1)?.args).toEqual(['upkeep', '--pm2-home', '/run/bowline/pm2']);
});
