import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { afterThisFile, temporaryFolder, waitFor } from '@bowline/testing';
import { callerEnvironment } from './environment.ts';
import { isAlive } from './is-alive.ts';
import { Pm2 } from './pm2.ts';

function pm2WithOneApp() {
  const folder = temporaryFolder();
  const home = join(folder, 'pm2');
  mkdirSync(home, { mode: 0o700 });
  const script = join(folder, 'app.mjs');
  writeFileSync(script, `setInterval(() => {}, 1e5); setTimeout(() => process.send('ready'), 50);`);
  const ecosystem = join(folder, 'ecosystem.config.cjs');
  const app = {
    name: 'app',
    script,
    interpreter: process.execPath,
    wait_ready: true,
    pmx: false,
    vizion: false,
  };
  writeFileSync(ecosystem, `module.exports = ${JSON.stringify({ apps: [app] })};`);
  const pm2 = new Pm2({ home, env: callerEnvironment(process.env, {}) });
  afterThisFile(async () => {
    if (await pm2.isRunning()) await pm2.kill();
  });
  return { pm2, ecosystem };
}

test('when the daemon is not there, asking for its list says so and starts none', async () => {
  const { pm2 } = pm2WithOneApp();
  expect(await pm2.isRunning()).toBe(false);
  await expect(pm2.list()).rejects.toMatchObject({ code: 'pm2-away' });
  expect(existsSync(join(pm2.home, 'pm2.pid'))).toBe(false);
});

test('when the daemon hangs, whoever asks it is told so in time', async () => {
  const { pm2 } = pm2WithOneApp();
  const hung = createServer();
  await new Promise<void>((resolve) => hung.listen(join(pm2.home, 'rpc.sock'), resolve));
  const impatient = new Pm2({ home: pm2.home, env: callerEnvironment(process.env, {}), callDeadlineMs: 300 });
  await expect(impatient.list()).rejects.toMatchObject({ code: 'pm2-slow', retryable: true });
  hung.close();
});

test('when an app is started, restarted and ended with its daemon, the list follows', async () => {
  const { pm2, ecosystem } = pm2WithOneApp();
  await pm2.start(ecosystem, ['app']);
  const [first] = await pm2.list();
  expect(first).toMatchObject({ name: 'app', status: 'online', restarts: 0 });
  expect(first?.startedAt).toBeGreaterThan(Date.now() - 60_000);

  await pm2.restart('app');
  const [second] = await pm2.list();
  expect(second).toMatchObject({ status: 'online', restarts: 1 });
  expect(second?.pid).not.toBe(first?.pid);
  await expect(pm2.restart('other')).rejects.toMatchObject({ code: 'pm2-failed' });
  expect(existsSync(second?.outFile ?? '')).toBe(true);
  expect(existsSync(second?.errorFile ?? '')).toBe(true);

  const daemon = pm2.daemonPid() ?? 0;
  expect(isAlive(daemon)).toBe(true);
  await pm2.kill();
  await waitFor(() => !isAlive(daemon), { what: 'the end of the daemon' });
  expect(isAlive(second?.pid ?? 0)).toBe(false);
});

test('when an app is restarted without what pm2 puts into it, a rejection ends it from then on', async () => {
  const { pm2, ecosystem } = pm2WithOneApp();
  const folder = dirname(ecosystem);
  const flag = JSON.stringify(join(folder, 'reject'));
  const script = join(folder, 'main.cjs');
  writeFileSync(
    script,
    `setInterval(() => {}, 1e5); if (require('node:fs').existsSync(${flag})) Promise.reject(new Error());`,
  );
  writeFileSync(ecosystem, `module.exports = ${JSON.stringify({ apps: [{ name: 'app', script }] })};`);
  await pm2.start(ecosystem, ['app']);
  writeFileSync(join(folder, 'reject'), '');
  await pm2.restart('app', { monitored: false });
  await waitFor(async () => ((await pm2.list())[0]?.restarts ?? 0) > 2, {
    what: 'it to end again and again',
  });
});

test('when an app is removed, its process ends and pm2 knows it no more; removing it again changes nothing', async () => {
  const { pm2, ecosystem } = pm2WithOneApp();
  await pm2.start(ecosystem, ['app']);
  const [entry] = await pm2.list();
  await pm2.remove('app');
  await waitFor(() => !isAlive(entry?.pid ?? 0), { what: 'the end of the app' });
  expect(await pm2.list()).toEqual([]);
  await pm2.remove('app');
});

test('when a process has ended and its parent has not noticed, it is not alive', async () => {
  // The shell leaves its child to `sleep`, which never asks what became of it.
  const parent = spawn('sh', ['-c', 'true & exec sleep 60'], { stdio: 'ignore' });
  afterThisFile(() => void parent.kill('SIGKILL'));
  const pid = parent.pid ?? 0;
  const child = await waitFor(() => {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    return Number(first);
  });
  await waitFor(() => readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z '));

  expect(isAlive(child)).toBe(false);
  expect(isAlive(pid)).toBe(true);
  expect([0, -1, Number.NaN, 2 ** 22 + 1].filter(isAlive)).toEqual([]);
});
