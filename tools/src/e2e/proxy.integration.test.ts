import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterThisFile, needs, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { certificateAuthority } from '@bowline/testing/certificates';
import { ConnectProxy } from '@bowline/testing/connect-proxy';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { TestFleet } from './test-fleet.ts';

const CLI = join(WORKSPACE, 'apps/cli/dist/main.js');
/** No name server knows it: who reaches it has gone through a proxy. */
const HOST = 'fleet.example';
const PASSWORD = 'pass-of-the-site';
/** Each is asked for by itself: what lies in the buffers of a connection that is cut is only a part of them. */
const [FILES, FILE_BYTES] = [40, 50_000];

describe.runIf(needs('openssl') && needs('openssh-server') && needs('openssh-client'))(
  'a device and an operator whose only way to the server is a proxy each',
  () => {
    let fleet: TestFleet;
    let home: string;
    let caFile: string;
    let site: ConnectProxy;
    let office: ConnectProxy;
    let repository: string;

    beforeAll(async () => {
      home = temporaryFolder();
      const authority = certificateAuthority();
      fleet = await TestFleet.make();
      // Where the apps may read.
      caFile = join(fleet.layout.configDir, 'ca.pem');
      writeFileSync(caFile, authority.ca);
      await fleet.startServer({ BOWLINE_FLEET_SERVER__PUBLIC_URL: `https://${HOST}` });
      const front = createServer(authority.issue(`DNS:${HOST}`), (socket) => {
        const plain = connect(Number(new URL(fleet.operatorEnv.BOWLINE_SERVER).port), '127.0.0.1');
        plain.on('error', () => socket.destroy());
        socket.on('error', () => plain.destroy());
        socket.once('close', () => plain.destroy());
        socket.pipe(plain).pipe(socket);
      });
      await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
      afterThisFile(() => void front.close());
      const routes = { [`${HOST}:443`]: (front.address() as AddressInfo).port };
      site = await ConnectProxy.start({ credentials: `device:${PASSWORD}`, routes });
      office = await ConnectProxy.start({ routes });

      await fleet.prepareDevice();
      const server = `https://${HOST}`;
      const proxy = `http://device:${PASSWORD}@127.0.0.1:${site.port}`;
      fleet.configure('ws-gateway', ({ enrolment }) => ({
        enrolment: { ...enrolment, server },
        link: { caFile, proxy }, // the one setting
      }));
      fleet.configure('ota-updater', () => ({
        supply: { mirrors: [`${server}/releases/`], caFile, bytesPerSecond: 1_000_000, attempts: 1 },
        trial: { graceMs: 500, soakMs: 300, observeMs: 100, lookMs: 100 },
      }));
      fleet.configure('ssh-broker', () => ({ tlsCaFile: caFile }));
      await fleet.startDevice();
      await fleet.untilOnline();

      repository = join(fleet.layout.serverDir, 'releases');
      const rootKey = join(fleet.layout.serverDir, 'root-key.pem');
      for (const words of [
        'keys new release',
        `release init ${repository} --key release --sign release`,
        `release publish ${repository} --sign release`,
        `fleet trust set-release-root ${repository}/metadata/1.root.json`,
        `fleet trust add-key update release --sign ${rootKey}`,
        `fleet trust add-key access release --sign ${rootKey}`,
        'fleet trust publish trust-draft.json',
      ])
        await done(...words.split(' '));
    }, 120_000);

    function bowline(...args: string[]) {
      const { BOWLINE_TOKEN } = fleet.operatorEnv;
      const env = {
        PATH: process.env['PATH'],
        HOME: home,
        TMPDIR: home,
        NO_COLOR: '1',
        BOWLINE_TOKEN,
        BOWLINE_SERVER: `https://${HOST}`,
        HTTPS_PROXY: `http://127.0.0.1:${office.port}`,
        NODE_EXTRA_CA_CERTS: caFile,
      };
      return startProcess(process.execPath, [CLI, ...args], { cwd: home, env });
    }
    async function ended(child: ReturnType<typeof bowline>): Promise<{ code: number | null; out: string }> {
      const { code } = await child.exited;
      return { code, out: child.stdout() + child.stderr() };
    }
    async function done(...args: string[]): Promise<void> {
      expect(await ended(bowline(...args))).toMatchObject({ code: 0 });
    }
    async function publish(version: string): Promise<void> {
      const folder = join(home, 'hello');
      mkdirSync(folder, { recursive: true });
      const app = "{ name: 'hello', script: 'server.cjs', cwd: __dirname }";
      writeFileSync(join(folder, 'ecosystem.config.cjs'), `module.exports = { apps: [${app}] };`);
      writeFileSync(join(folder, 'server.cjs'), `setInterval(() => {}, 1e6); // ${version}`);
      for (let file = 0; file < FILES; file += 1)
        writeFileSync(join(folder, `${file}.bin`), randomBytes(FILE_BYTES));
      const named = ['--name', 'hello', '--release', version, '--sign', 'release'];
      await done('release', 'build', folder, '--repo', repository, ...named);
      await done('release', 'publish', repository, '--sign', 'release');
    }
    const order = (version: string) =>
      bowline('fleet', 'update', DEVICE_ID, 'hello', version, '--sign', 'release');
    const ssh = (command: string) => bowline('ssh', DEVICE_ID, '--sign', 'release', '--', command);

    test('when one key of the gateway names it and it fails in the middle of an update, that goes on when it is back, and the release is not to blame', async () => {
      await publish('1.0.0');
      const before = site.returnedBytes;
      const update = order('1.0.0');
      await waitFor(() => site.returnedBytes > before + (FILES * FILE_BYTES) / 4, { what: 'a part of it' });
      site.says = '502 Bad Gateway';
      site.cut();
      const reason = `the proxy 127.0.0.1:${site.port} answered 502 Bad Gateway`;
      await waitFor(() => fleet.log('ota-updater').includes(reason), { what: 'an attempt in vain' });
      site.says = undefined;
      expect(await ended(update)).toMatchObject({ code: 0, out: expect.stringContaining('succeeded') });
      const status = readFileSync(join(fleet.layout.stateDir, 'ota-updater/status.json'), 'utf8');
      expect(JSON.parse(status)).toMatchObject({ denied: {} });
    }, 120_000);

    test('when it refuses while an ssh session is opened, that is tried until it opens; when it fails in the middle, nothing is left', async () => {
      await fleet.untilOnline();
      site.says = '403 Forbidden';
      const reason = `the proxy 127.0.0.1:${site.port} answered 403 Forbidden`;
      const session = ssh('echo ready; sleep 600');
      await waitFor(() => fleet.log('ssh-broker').includes(reason), { what: 'an attempt in vain' });
      site.says = undefined;
      await session.output(/ready/);
      site.cut();
      expect((await ended(session)).code).not.toBe(0);
      const runFolder = join(fleet.layout.runDir, 'ssh-broker');
      await waitFor(() => readdirSync(runFolder).length === 0, { what: 'no folder of a session' });
    }, 120_000);

    test('when all of that has gone through it, it has seen one name and no token, and its password is nowhere to be read', async () => {
      for (const { asked } of [site, office]) expect(new Set(asked)).toEqual(new Set([`${HOST}:443`]));
      const sent = Buffer.concat([...site.passed, ...office.passed]);
      expect(sent.length).toBeGreaterThan(0);
      expect(sent.includes('Bearer ')).toBe(false);
      const shown = JSON.stringify(await waitFor(() => fleet.hub.request('config', {})));
      expect(shown).toContain('[redacted]');
      const logs = ['ws-gateway', 'ota-updater', 'ssh-broker'].map((app) => fleet.log(app));
      for (const text of [shown, ...logs]) expect(text).not.toContain(PASSWORD);
    });
  },
);
