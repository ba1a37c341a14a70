import { waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DeviceRoot, canInstallDevice } from './device-root.ts';

const SERVER_CONFIG = '/tmp/fleet-server.json';
const SERVER_INFO = '/tmp/server.json';

describe.runIf(canInstallDevice())(
  'the life of an installed device (needs root, namespaces, iproute2, systemd)',
  () => {
    let device: DeviceRoot;
    let server: string;

    beforeAll(async () => {
      device = await DeviceRoot.install();
      await device.writeJson(SERVER_CONFIG, {
        stateDir: '/tmp/server',
        listen: { host: '127.0.0.1', port: 0 },
        infoFile: SERVER_INFO,
      });
      const main = '/checkout/apps/fleet-server/dist/main.js';
      await device.shell(
        `setsid /opt/bowline/runtime ${main} --config ${SERVER_CONFIG} >/tmp/server.log 2>&1 </dev/null &`,
      );
      const info = await waitFor(
        async () => (await device.readJson(SERVER_INFO)) as { url: string; operatorTokenFile: string },
        { what: 'the server to listen' },
      );
      server = info.url;
      const gateway = '/etc/bowline/ws-gateway.json';
      await device.writeJson(gateway, { ...(await device.readJson(gateway)), link: { allowInsecure: true } });
      const cli = '/etc/bowline/cli.json';
      const operator = { serverUrl: server, operatorTokenFile: info.operatorTokenFile };
      await device.writeJson(cli, { ...(await device.readJson(cli)), ...operator });
      await device.startApps();
    });

    async function enrolmentToken(): Promise<string> {
      const ask = `
      const [url, file] = process.argv.slice(1);
      const authorization = 'Bearer ' + require('node:fs').readFileSync(file, 'utf8').trim();
      fetch(url + '/v1/enrolment-tokens', {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ deviceId: 'kiosk-1', maxUses: 1 }),
      }).then((response) => response.json()).then(({ token }) => console.log(token));`;
      const { operatorTokenFile } = (await device.readJson('/etc/bowline/cli.json')) as Record<
        string,
        string
      >;
      return (await device.run('/opt/bowline/runtime', '-e', ask, server, operatorTokenFile ?? '')).trim();
    }

    test('when it enrols, runs an order and forgets who it was, its rights suffice for all of it', async () => {
      await device.bowline('enroll', '--server', server, '--token', await enrolmentToken());
      const key = '/var/lib/bowline/ws-gateway/device.pem';
      expect(await device.run('stat', '-c', '%U:%G %a', key)).toBe('bowline-gateway:bowline-gateway 600\n');
      const anchor = '/etc/bowline/trust-anchor.json';
      expect(await device.readJson(anchor)).toMatchObject({ deviceId: 'kiosk-1' });
      expect(await device.run('stat', '-c', '%U:%G %a', anchor)).toBe('root:root 644\n');
      const online = async () => (await device.bowline('status')).includes('online');
      await waitFor(online, { what: 'the device to be online', everyMs: 200 });

      expect(await device.bowline('fleet', 'command', 'kiosk-1', 'ping')).toContain('uptimeSeconds');

      const before = await device.run('cat', key);
      await device.bowline('reset', '--yes');
      expect(await device.run('cat', key)).not.toBe(before);
      expect(Object.keys(await device.readJson(anchor))).toEqual(['rootThumbprint', 'since']);
      expect(await device.bowline('status')).toContain('not enrolled');
      const log = await device.shell('cat /var/lib/bowline/logs/*.log');
      expect(log).not.toContain('ERR_ACCESS_DENIED');
    });

    test('when a user is let into the group of the command line, he may ask the gateway; others may not', async () => {
      const asking = '/opt/bowline/runtime /opt/bowline/apps/cli/dist/main.js identity';
      const as = (groups: string) =>
        device.shell(`setpriv --reuid=nobody --regid=nogroup ${groups} ${asking} 2>&1 || true`);
      expect(await as('--groups=bowline-cli')).toContain('"kty":"OKP"');
      expect(await as('--clear-groups')).toContain('EACCES');
    });

    test('when a user is let into the group of the ingest, his programs may hand in samples; others may not', async () => {
      const sending = '/opt/bowline/runtime /opt/bowline/apps/cli/dist/main.js send temperature=21.5';
      const as = (groups: string) =>
        device.shell(`setpriv --reuid=nobody --regid=nogroup ${groups} ${sending} 2>&1 || true`);
      expect(await as('--groups=bowline-ingest')).toBe('1 sample accepted.\n');
      expect(await as('--groups=bowline-cli')).toContain('adduser NAME bowline-ingest');
      const socket = '/run/bowline/ingest/ingest.sock';
      expect(await device.run('stat', '-c', '%U:%G %a', socket)).toBe(
        'bowline-telemetry:bowline-ingest 660\n',
      );
    });

    test('when a module of commands is put into its folder, it is loaded within the limits of the executor', async () => {
      const text = `import { defineCommand } from '@bowline/command';
        export default defineCommand({ name: 'here', description: 'x', idempotent: true, run: (): number => 1 });`;
      await device.shell(`cat >/etc/bowline/command-modules/here.ts <<'END'\n${text}\nEND`);
      const log = () => device.shell('cat /var/lib/bowline/logs/command-executor*.log');
      await waitFor(async () => (await log()).includes('"added":["here"]'), {
        what: 'the command',
        everyMs: 200,
      });
      expect(await log()).not.toContain('ERR_ACCESS_DENIED');
    });

    test('when a user is let into the group of the commands, his programs may register one; others may not', async () => {
      const socket = '/run/bowline/commands/commands.sock';
      const script = `require('node:net').connect('${socket}').on('error', ({ code }) => console.log(code)).on('data', (data) => { console.log(String(data)); process.exit(); }).write('{"type":"register","command":{"name":"x","description":"x","idempotent":true}}\\n')`;
      const as = (groups: string) =>
        device.run(
          'setpriv',
          '--reuid=nobody',
          '--regid=nogroup',
          groups,
          '/opt/bowline/runtime',
          '-e',
          script,
        );
      // It is heard, and this device's policy does not name it.
      expect(await as('--groups=bowline-commands')).toContain('"code":"not-allowed"');
      expect(await as('--groups=bowline-ingest')).toBe('EACCES\n');
      expect(await device.run('stat', '-c', '%U:%G %a', socket)).toBe('root:bowline-commands 660\n');
    });
  },
);
