import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEMO_GROUP, DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { TestFleet } from './test-fleet.ts';

const CLI = join(WORKSPACE, 'apps/cli/dist/main.js');
const GUIDE = readFileSync(join(WORKSPACE, 'docs/releases.md'), 'utf8');
/** The shell blocks of "Try it with the demo": two files, the set-up, a version. */
const [, demo = ''] = GUIDE.split('## Try it with the demo');
const [files = '', setUp = '', version = ''] = [...demo.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(
  ([, block]) => block ?? '',
);
const SIGNER_ENV = { BOWLINE_SIGNER_TOKEN: 'token-of-ada' };

describe('the demo of docs/releases.md, on a device that is one', () => {
  let fleet: TestFleet;
  let home: string;
  let port: number;
  beforeAll(async () => {
    fleet = await TestFleet.make();
    home = temporaryFolder();
    port = await freePort();
    await fleet.startServer();
    await fleet.prepareDevice();
    fleet.configure('ota-updater', () => ({
      trial: { graceMs: 1500, soakMs: 500, observeMs: 100, lookMs: 100 },
      check: { schedule: '*/2 * * * * *', jitterMs: 0 },
    }));
    await fleet.startDevice();
    await fleet.untilOnline();
  });

  /** As it is typed in the checkout: with our own build for `npx`, and a port that is free. */
  async function type(script: string): Promise<{ code: number | null; out: string }> {
    const shell = `set -e\nnpx() { shift; "${process.execPath}" "${CLI}" "$@"; }\n`;
    const child = startProcess('bash', ['-c', shell + script.replaceAll('7460', String(port))], {
      cwd: fleet.layout.checkout,
      env: { PATH: process.env['PATH'], HOME: home, NO_COLOR: '1', ...fleet.operatorEnv, ...SIGNER_ENV },
    });
    const { code } = await child.exited;
    return { code, out: child.stdout() + child.stderr() };
  }
  const withoutCurl = (script: string) => script.replace(/^curl .*$/m, '');
  const publish = (wanted: string) =>
    withoutCurl(version)
      .replaceAll('1.0.0', wanted)
      .replace(/^npx bowline fleet update .*$/m, '');
  const greeting = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();

  test(
    'when a line is changed and published, the device runs it; a broken one is rolled back, and its reason is told',
    { timeout: 300_000 },
    async () => {
      expect(await type(files + setUp)).toMatchObject({ code: 0 });
      const first = await type(withoutCurl(version));
      expect(first).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') });
      expect(await greeting()).toBe('hello, version 1\n');

      await type("sed -i 's/version 1/version 2/' hello/server.cjs");
      const second = await type(withoutCurl(version).replaceAll('1.0.0', '1.1.0'));
      expect(second).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') });
      expect(await greeting()).toBe('hello, version 2\n');

      const broken = /echo 'throw[^`]*/.exec(demo)?.[0] ?? 'false';
      const third = await type(`${broken}\n${withoutCurl(version).replaceAll('1.0.0', '1.2.0')}`);
      expect(third).toMatchObject({ code: 10, out: expect.stringContaining('rolled back') });
      await waitFor(async () => (await greeting()) === 'hello, version 2\n');
      const end = await waitFor(
        async () => (await fleet.api.events(DEVICE_ID, 50)).find(({ kind }) => kind === 'update.rolled-back'),
        { what: 'the event' },
      );
      expect(JSON.stringify(end.data)).toContain('Error: broken');
    },
  );

  test('when something newer is published, the scheduled look tells it once, and installs nothing', async () => {
    const told = async () =>
      (await fleet.api.events(DEVICE_ID, 50)).filter(
        ({ kind, data }) => kind === 'update.available' && JSON.stringify(data).includes('"version":"1.2.0"'),
      );
    await waitFor(async () => (await told()).length > 0, { what: 'the news' });
    await waitFor(async () => (await type('npx bowline update status')).out.match(/hello +1\.2\.0 +stable/));
    expect(await told()).toHaveLength(1);
    expect(await greeting()).toBe('hello, version 2\n');
  });

  test('when a signer process holds the update key, an order that its policy allows is carried out, and no other is signed', async () => {
    const tokenSha256 = createHash('sha256').update(SIGNER_ENV.BOWLINE_SIGNER_TOKEN).digest('hex');
    const softwareUpdate = { channels: ['stable'], audiences: [DEVICE_ID], maxSeconds: 7 * 24 * 3600 };
    const policyFile = join(home, 'signer-policy.json');
    writeFileSync(policyFile, JSON.stringify({ operators: { ada: { tokenSha256, softwareUpdate } } }), {
      mode: 0o600,
    });
    const key = join(home, '.config/bowline/keys/release.pem');
    const infoFile = join(home, 'signer.json');
    const flags = { stateDir: join(home, 'signer'), policyFile, 'keys.update': key, port: '0', infoFile };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const signer = startProcess(process.execPath, [join(WORKSPACE, 'apps/signer/dist/main.js'), ...args]);
    await signer.output(/"message":"listening"/);
    const { url } = JSON.parse(readFileSync(infoFile, 'utf8')) as { url: string };

    const preview = `npx bowline fleet update ${DEVICE_ID} hello 1.1.0 --preview --signer ${url}`;
    expect(await type(preview)).toMatchObject({
      code: 0,
      out: expect.stringContaining('"verdict": "allowed"'),
    });
    expect(await type(`${preview} --channel beta`)).toMatchObject({
      code: 6,
      out: expect.stringContaining('/softwareUpdate/channels'),
    });
    await signer.kill('SIGTERM');
  });

  test('when somebody on the device holds updates, a rollout waits and says who; paused it is called off, gone on with it is installed', async () => {
    await type(
      "echo \"require('http').createServer((q, r) => r.end('held')).listen(7460)\" > hello/server.cjs",
    );
    expect(await type(publish('1.3.0'))).toMatchObject({ code: 0 });
    await type('npx bowline update hold --owner oven --for 1h --reason baking');
    const rollout = (what: string) => type(`npx bowline fleet rollout ${what}`);
    const begun = await rollout(`start hello 1.3.0 --group ${DEMO_GROUP} --percent 100 --sign release`);
    expect(begun).toMatchObject({ code: 0, out: expect.stringContaining('1 of 1 devices (100 %)') });
    await waitFor(async () => {
      const { out } = await type('npx bowline update status');
      return /hello 1\.3\.0 {2}\[#*-*\] +0 % {2}deferred[^]*held by oven until/.test(out);
    });
    // Called off on the device, it is given again under a new signature, as after a pause.
    const off = await type('npx bowline update cancel');
    expect(off).toMatchObject({ code: 0, out: expect.stringContaining('The update is over: cancelled.') });
    await waitFor(async () => (await rollout('show hello-1.3.0')).out.includes('1 called off'));
    expect(await rollout('go-on hello-1.3.0 --sign release')).toMatchObject({ code: 0 });
    await waitFor(async () => (await rollout('show hello-1.3.0')).out.includes('1 under way'));
    const paused = await rollout('pause hello-1.3.0 --reason "too early"');
    expect(paused).toMatchObject({ code: 0, out: expect.stringContaining('paused: by admin: too early') });
    await waitFor(async () => (await rollout('show hello-1.3.0')).out.includes('1 called off'));
    expect(await type('npx bowline update release --owner oven')).toMatchObject({ code: 0 });
    expect(await greeting()).toBe('hello, version 2\n');
    expect(await rollout('go-on hello-1.3.0 --sign release')).toMatchObject({ code: 0 });
    await waitFor(async () => (await fleet.api.orders(DEVICE_ID))[0]?.status === 'succeeded');
    expect(await greeting()).toBe('held');
    const [done = ''] = (await rollout('list')).out.split('\n').slice(-2);
    expect(done).toMatch(/^hello-1\.3\.0 +demos +running .* 1 done, 0 failed, 0 under way, 0 waiting$/);
  });

  test('when the device has no link, a stick brings a release with its order, and a bad or older one is refused', async () => {
    await fleet.killServer();
    await type(
      "echo \"require('http').createServer((q, r) => r.end('by stick')).listen(7460)\" > hello/server.cjs",
    );
    const bundle = (release: string, file: string) =>
      `npx bowline release bundle .bowline/server/releases hello ${release} ${file}`;
    const order = (release: string) =>
      `npx bowline fleet update ${DEVICE_ID} hello ${release} --sign release --print > ${release}.jws`;
    expect(await type(`${bundle('1.3.0', 'older.tar')}\n${order('1.3.0')}`)).toMatchObject({ code: 0 });
    expect(await type(`${publish('2.0.0')}\n${order('2.0.0')}`)).toMatchObject({ code: 0 });
    expect(await type(`${bundle('2.0.0', 'stick.tar')} --order 2.0.0.jws`)).toMatchObject({ code: 0 });
    await type('head -c 9000 stick.tar > torn.tar');
    rmSync(join(fleet.layout.serverDir, 'releases'), { recursive: true });

    const apply = (what: string) => type(`npx bowline update apply ${what}`);
    const refused = (why: string) => ({ code: 11, out: expect.stringContaining(why) });
    expect(await apply('older.tar')).toMatchObject(refused('no signed order'));
    // What is wrong with a bundle does not use the order up.
    expect(await apply('torn.tar')).toMatchObject(refused('torn.tar'));
    expect(await apply('older.tar --order 2.0.0.jws')).toMatchObject(
      refused('nobody has published hello 2.0.0'),
    );
    const good = await apply('stick.tar');
    expect(good).toMatchObject({ code: 0, out: expect.stringContaining('committed') });
    expect(await greeting()).toBe('by stick');
    expect(await type('npx bowline update status')).toMatchObject({
      out: expect.stringMatching(/hello\s+2\.0\.0/),
    });
    expect(await apply('older.tar --order 1.3.0.jws')).toMatchObject(refused('an older state'));
  });
});
