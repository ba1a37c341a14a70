import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PM2_SCRIPT } from '@bowline/pm2';
import { isRunning, waitFor } from '@bowline/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UpdateDevice } from './testing/update-device.ts';

const LONG = 300_000;
const MODULE = { 'package.json': '{ "type": "module" }' };
/** Each would end by itself without pm2. */
const REJECTED = {
  '2.0.0-import': { ...MODULE, 'app.js': `import './missing.js';` },
  '2.0.0-main': {
    'app.js': `setInterval(() => {}, 1e6); (async function main() { await null; throw new Error('no config'); })();`,
  },
};
const ROLLED_BACK = { status: 'failed', error: { code: expect.stringMatching(/boot-loop|process-/) } };

let device: UpdateDevice;
beforeAll(async () => {
  device = await UpdateDevice.open();
  device.start();
});
afterAll(() => device.close());

const pm2 = (...args: string[]) =>
  spawnSync(process.execPath, [PM2_SCRIPT, '--silent', ...args], {
    env: { ...process.env, PM2_HOME: device.pm2.home },
    encoding: 'utf8',
  });

test('when the start of a release ends in a rejection, it is rolled back', { timeout: LONG }, async () => {
  device.release('kiosk', '1.0.0');
  expect(await device.update('kiosk', '1.0.0')).toMatchObject({ status: 'succeeded' });
  for (const [version, files] of Object.entries(REJECTED)) {
    device.release('kiosk', version, { files });
    expect(await device.update('kiosk', version)).toMatchObject(ROLLED_BACK);
    expect(await device.running('kiosk')).toBe('1.0.0');
  }
});

test('when it does so in a cluster of pm2, it is rolled back, too', { timeout: LONG }, async () => {
  const ecosystem = `module.exports = [{ name: 'many', script: 'app.js', cwd: __dirname, instances: 2, pmx: true }];`;
  const program = { 'ecosystem.config.cjs': ecosystem };
  device.release('many', '1.0.0', { files: program });
  expect(await device.update('many', '1.0.0')).toMatchObject({ status: 'succeeded' });
  device.release('many', '2.0.0', { files: { ...program, ...REJECTED['2.0.0-import'] } });
  expect(await device.update('many', '2.0.0')).toMatchObject(ROLLED_BACK);
  expect(await device.running('many')).toBe('1.0.0');
});

test(
  'when one of two releases has no process, what pm2 runs is never that of the other',
  { timeout: LONG },
  async () => {
    const isInPlace = async (version: string) =>
      expect([device.inPlace('mixed'), await device.running('mixed')]).toEqual([version, undefined]);
    device.release('mixed', '1.0.0');
    device.release('mixed', '2.0.0', { filesOnly: true });
    device.release('mixed', '3.0.0', {
      files: { probe: '#!/bin/sh\nexit 1\n' },
      manifest: { probe: { command: ['probe'] } },
    });
    await device.update('mixed', '1.0.0');
    expect(await device.running('mixed')).toBe('1.0.0');
    expect((await device.update('mixed', '2.0.0')).status).toBe('succeeded');
    await isInPlace('2.0.0');
    expect((await device.update('mixed', '3.0.0')).error?.code).toBe('probe-failed');
    await isInPlace('2.0.0');
  },
);

test(
  'when the ecosystem file of a release names no app as the release is named, it is refused as soon as it is laid out, with both names',
  { timeout: LONG },
  async () => {
    const ran = join(device.folder, 'ran');
    const misnamed = `try { require('node:fs').writeFileSync('${ran}', ''); } catch {}
      module.exports = { apps: [{ name: 'kisok', script: 'app.js' }, { script: 'more.js' }] };`;
    device.setPolicy({ windows: [{ opens: '0 0 30 2 *', minutes: 1 }] }); // it does not wait for its window
    device.release('named', '1.0.0', { files: { 'ecosystem.config.cjs': misnamed } });
    expect(await device.update('named', '1.0.0')).toMatchObject({
      error: {
        code: 'program-misnamed',
        message: expect.stringContaining('names kisok, more, and no app named'),
      },
      result: { phase: 'failed' },
    });
    expect(existsSync(ran)).toBe(false);
    device.setPolicy({});
    // What cannot be read without an effect is left to pm2.
    const wantsMore = `require('node:child_process').execFileSync('true');
      module.exports = { apps: [{ name: 'named', script: 'app.js', cwd: __dirname }] };`;
    device.release('named', '1.1.0', { files: { 'ecosystem.config.cjs': wantsMore } });
    expect(await device.update('named', '1.1.0')).toMatchObject({ status: 'succeeded' });
  },
);

test(
  'when pm2 runs a program of the same name that is of no release, it stays, and the release is refused',
  { timeout: LONG },
  async () => {
    const old = join(device.folder, 'old');
    mkdirSync(old);
    writeFileSync(join(old, 'version.txt'), 'old');
    writeFileSync(join(old, 'app.cjs'), `setInterval(() => {}, 1e6);`);
    const app = { name: 'legacy', script: 'app.cjs', cwd: old };
    writeFileSync(join(old, 'pm2.config.cjs'), `module.exports = ${JSON.stringify(app)};`);
    await device.pm2.start(join(old, 'pm2.config.cjs'), ['legacy']);
    device.release('legacy', '1.0.0');
    expect(await device.update('legacy', '1.0.0')).toMatchObject({
      error: { code: 'name-taken', message: expect.stringContaining(`in ${old}`) },
    });
    const files = { probe: '#!/bin/sh\nexit 1\n' };
    device.release('legacy', '2.0.0', {
      filesOnly: true,
      files,
      manifest: { probe: { command: ['probe'] } },
    });
    expect((await device.update('legacy', '2.0.0')).error?.code).toBe('probe-failed');
    expect(await device.running('legacy')).toBe('old');
  },
);

test('when a release has left a process behind, it ends with the release', { timeout: LONG }, async () => {
  const pidFile = join(device.folder, 'stray.pid');
  const stray = `require('node:child_process').spawn('setsid', ['sh', '-c', 'echo $$ > ${pidFile}; exec sleep 1000'], { detached: true, stdio: 'ignore' }).unref();`;
  const app = { 'app.js': `${stray}\nsetInterval(() => {}, 1e6);` };
  device.release('strays', '1.0.0', { files: app });
  expect(await device.update('strays', '1.0.0')).toMatchObject({ status: 'succeeded' });
  const pid = Number(await waitFor(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8')));
  expect(isRunning(pid)).toBe(true);
  device.release('strays', '2.0.0');
  expect(await device.update('strays', '2.0.0')).toMatchObject({ status: 'succeeded' });
  expect(isRunning(pid)).toBe(false);
  expect(await device.running('strays')).toBe('2.0.0');
});

test('when one process of a cluster ends, the trial of all of it fails', { timeout: LONG }, async () => {
  const ecosystem = `module.exports = { apps: [{ name: 'pair', script: 'app.js', cwd: __dirname, instances: 2 }] };`;
  const files = {
    'ecosystem.config.cjs': ecosystem,
    'app.js': `setTimeout(() => process.exit(Number(process.env.NODE_APP_INSTANCE)), process.env.NODE_APP_INSTANCE === '0' ? 1e6 : 100);`,
  };
  device.release('pair', '1.0.0', { files });
  expect(await device.update('pair', '1.0.0')).toMatchObject(ROLLED_BACK);
});

test(
  'when pm2 starts a program again, from its list or from what it saved, a rejection still ends it',
  { timeout: LONG },
  async () => {
    const when = `require('node:fs').existsSync('${join(device.folder, 'reject')}') ? 100 : 1e6`;
    const app = `setTimeout(() => Promise.reject(new Error('gone')), ${when});`;
    device.release('saved', '1.0.0', { files: { 'app.js': app } });
    expect(await device.update('saved', '1.0.0')).toMatchObject({ status: 'succeeded' });
    await device.updater?.kill();
    expect(pm2('save').status).toBe(0);
    await device.pm2.kill();
    await device.pm2.startDaemon();
    expect(pm2('resurrect').status).toBe(0);
    writeFileSync(join(device.folder, 'reject'), '');
    await device.pm2.restart('saved');
    const restarts = async () =>
      (await device.pm2.list()).find(({ name }) => name === 'saved')?.restarts ?? 0;
    await waitFor(async () => (await restarts()) >= 3, { what: 'pm2 to start it again and again' });
  },
);
