import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { callerEnvironment, Pm2 } from '@bowline/pm2';
import { afterThisFile, isRunning } from '@bowline/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { ExecutorProcess } from './testing/executor-process.ts';

let device: ExecutorProcess;
const use = async (config: Record<string, unknown> = {}): Promise<ExecutorProcess> => {
  device = new ExecutorProcess(config);
  await device.openGateway();
  return device;
};
afterEach(() => device.end());

describe('runScript', () => {
  test('when the policy does not name it, it is refused', async () => {
    await use();
    device.start();
    expect(await device.outcome(device.order('runScript', { script: 'true' }))).toMatchObject({
      status: 'rejected',
      error: { code: 'not-allowed' },
    });
  });

  test('when the policy allows it, the script runs and what it said comes back, cut if it is too much', async () => {
    await use({ outputLineChars: 1024 });
    device.policy({ runScript: {} });
    device.start();
    const script = 'echo out; echo err >&2; echo "$NODE_OPTIONS"';
    expect(await device.outcome(device.order('runScript', { script }))).toMatchObject({
      result: { stdout: 'out\n\n', stderr: 'err\n' },
    });
    expect(await device.outcome(device.order('runScript', { script: 'yes | head -c 5000' }))).toMatchObject({
      result: { stdout: 'y\n'.repeat(512), truncated: true },
    });
    expect(await device.outcome(device.order('runScript', { script: 'exit 4' }))).toMatchObject({
      status: 'failed',
      error: { message: 'it ended with exit code 4' },
    });
  });

  test.runIf(process.getuid?.() === 0)(
    'when it asks for a user, the policy must name that user',
    async () => {
      await use({ programUser: 'nobody' });
      device.policy({ runScript: { users: ['root'] } });
      device.start();
      const asked = async (params: object) =>
        (await device.outcome(device.order('runScript', { script: 'id -un', ...params }))) as object;
      expect(await asked({})).toMatchObject({ result: { stdout: 'nobody\n' } });
      expect(await asked({ user: 'root' })).toMatchObject({ result: { stdout: 'root\n' } });
      expect(await asked({ user: 'daemon' })).toMatchObject({ error: { code: 'not-allowed' } });
    },
  );
});

test('when the program that reboots fails, so does the order', async () => {
  await use({ programs: { reboot: ['/bin/sh', '-c', 'echo in use >&2; exit 1'] } });
  device.policy({ reboot: {} });
  device.start();
  expect(await device.outcome(device.order('reboot'))).toMatchObject({
    status: 'failed',
    error: { code: 'command-failed', message: 'it ended with exit code 1: in use' },
  });
});

describe('collectDiagnostics', () => {
  test('when it runs, a bundle without secrets goes up in parts, and its size comes back', async () => {
    await use();
    const logFolder = join(device.folder, 'logs');
    const configFolder = join(device.folder, 'etc');
    for (const folder of [logFolder, configFolder]) mkdirSync(folder);
    writeFileSync(
      join(logFolder, 'ws-gateway.log'),
      `${'line with Bearer s3cret\n'.repeat(10_000)}last line\n`,
    );
    writeFileSync(join(configFolder, 'ws-gateway.json'), '{"token":"s3cret","link":{"url":"wss://x"}}');
    writeFileSync(join(configFolder, 'broken.json'), '{"token":"s3cret"');
    await device.end();
    const journal = ['/bin/sh', '-c', 'echo "journal: password=s3cret"'];
    await use({ logFolder, configFolder, programs: { journal }, diagnosticsBytes: 100_000 });
    device.start();
    const order = device.order('collectDiagnostics');
    const { result } = await device.outcome(order);
    const parts = device.gateway?.parts ?? [];
    expect(parts.map(({ orderId, part, last }) => [orderId, part, last])).toEqual(
      parts.map((_, index) => [order.orderId, index, index === parts.length - 1]),
    );
    expect(parts.length).toBeGreaterThan(1);
    const packed = Buffer.concat(parts.map(({ data }) => Buffer.from(data, 'base64')));
    const text = gunzipSync(packed).toString();
    expect(result).toMatchObject({ bundle: { parts: parts.length, sizeBytes: Buffer.byteLength(text) } });
    expect(text).not.toContain('s3cret');
    const bundle = JSON.parse(text) as { logs: Record<string, string> };
    expect(bundle).toMatchObject({
      versions: { app: expect.any(String) },
      configuration: {
        'ws-gateway': { token: '[redacted]', link: { url: 'wss://x' } },
        broken: { unreadable: 'not JSON' },
      },
      journal: expect.stringContaining('journal: password=[redacted]'),
      status: expect.anything(),
    });
    expect(bundle.logs['ws-gateway']).toMatch(/^line with Bearer \[redacted\]\n[^]*last line\n$/);
  });
});

describe('restartApp and setLogLevel', () => {
  test('when an app is restarted, the real pm2 does it and the new pid comes back', async () => {
    await use();
    const home = join(device.folder, 'pm2');
    mkdirSync(home, { mode: 0o700 });
    const pm2 = new Pm2({ home, env: callerEnvironment(process.env, {}) });
    afterThisFile(() => pm2.kill().catch(() => undefined));
    const ecosystem = join(device.folder, 'ecosystem.config.cjs');
    const script = join(device.folder, 'app.mjs');
    writeFileSync(script, 'setInterval(() => {}, 1e5);');
    const app = { name: 'some-app', script, interpreter: process.execPath, pmx: false, vizion: false };
    writeFileSync(ecosystem, `module.exports = ${JSON.stringify({ apps: [app] })};`);
    await pm2.start(ecosystem, ['some-app']);
    const [before] = await pm2.list();
    await device.end();
    await use({ pm2Home: home });
    device.policy({ restartApp: {} });
    device.start();
    const { result } = await device.outcome(device.order('restartApp', { app: 'some-app' }));
    const { pid, previousPid } = result as { pid: number; previousPid: number };
    expect([previousPid, isRunning(pid), isRunning(previousPid)]).toEqual([before?.pid, true, false]);
    if (device.gateway === undefined) throw new Error('no gateway');
    device.gateway.trial = { release: 'some-app 2.0.0', processes: ['some-app'], endsBy: Date.now() };
    expect(await device.outcome(device.order('restartApp', { app: 'some-app' }))).toMatchObject({
      status: 'failed',
      error: { code: 'update-busy', message: expect.stringContaining('some-app 2.0.0 is on trial until') },
    });
    expect(isRunning(pid)).toBe(true);
    expect(await device.outcome(device.order('restartApp', { app: 'some-ap' }))).toMatchObject({
      status: 'failed',
      error: { code: 'unknown-app', message: expect.stringContaining('did you mean some-app?') },
    });
  });

  test('when the log level of this app is set, it says more from then on', async () => {
    await use();
    device.policy({ setLogLevel: {}, ping: {} });
    const executor = device.start();
    const params = { app: 'command-executor', level: 'error' };
    expect(await device.outcome(device.order('setLogLevel', params))).toMatchObject({
      result: { app: 'command-executor', level: 'error', previous: 'info' },
    });
    const quiet = device.order('ping');
    await device.outcome(quiet);
    await device.outcome(device.order('setLogLevel', { ...params, level: 'info' }));
    const loud = device.order('ping');
    await device.outcome(loud);
    await executor.output(new RegExp(loud.orderId));
    expect(executor.stdout()).not.toContain(quiet.orderId);
    expect(
      await device.outcome(device.order('setLogLevel', { app: 'ws-gateway', level: 'debug' })),
    ).toMatchObject({ result: { previous: 'warn' } });
  });
});
