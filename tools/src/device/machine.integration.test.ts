import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DEVICE_APPS } from '@bowline/pm2';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { canBootMachine, Machine } from './machine.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
/** The one that the outbound rules let the gateway reach. */
const SERVER = 'http://127.0.0.1:443';
const MAIN = 'apps/[a-z-]*/dist/main.js --config';

describe.runIf(canBootMachine())(
  'a device that boots (needs root, namespaces, systemd, systemd-nspawn)',
  () => {
    let machine: Machine;
    let server: TestProcess;
    let operatorToken: string;
    const serverFolder = temporaryFolder();

    beforeAll(async () => {
      machine = await Machine.install();
      await machine.boot();
      await startServer();
      const gateway = '/etc/bowline/ws-gateway.json';
      await machine.writeJson(gateway, {
        ...(await machine.readJson(gateway)),
        link: { allowInsecure: true, backoffCapMs: 1000 },
      });
      await machine.shell('systemctl restart bowline');
      await untilReady();
      const token = await operator('tokens', 'create', '--device', 'kiosk-1', '--json');
      const { token: secret } = JSON.parse(token) as { token: string };
      await machine.bowline('enroll', '--server', SERVER, '--token', secret);
    }, 180_000);

    /** Outside the machine, on its network; whatever befalls the machine, it goes on. */
    async function startServer(): Promise<void> {
      const config = join(serverFolder, 'fleet-server.json');
      const infoFile = join(serverFolder, 'info.json');
      const listen = { host: '127.0.0.1', port: 443 };
      writeFileSync(config, JSON.stringify({ stateDir: join(serverFolder, 'state'), listen, infoFile }));
      rmSync(infoFile, { force: true });
      const main = join(CHECKOUT, 'apps/fleet-server/dist/main.js');
      server = onNetwork(process.execPath, main, '--config', config);
      const info = await waitFor(
        () => JSON.parse(readFileSync(infoFile, 'utf8')) as { operatorTokenFile: string },
      );
      operatorToken = readFileSync(info.operatorTokenFile, 'utf8').trim();
    }

    function onNetwork(...command: string[]) {
      return startProcess('nsenter', ['-t', String(machine.pid), '-n', ...command]);
    }

    async function operator(...args: string[]): Promise<string> {
      const cli = [process.execPath, join(CHECKOUT, 'apps/cli/dist/main.js'), 'fleet', ...args];
      const { stdout } = await promisify(execFile)('nsenter', ['-t', String(machine.pid), '-n', ...cli], {
        env: { PATH: process.env['PATH'], BOWLINE_SERVER: SERVER, BOWLINE_TOKEN: operatorToken },
      }).catch((error: { stdout: string }) => {
        throw new Error(error.stdout);
      });
      return stdout;
    }

    async function events(): Promise<string> {
      const url = `${SERVER}/v1/devices/kiosk-1/events`;
      const ask = `fetch('${url}', { headers: { authorization: 'Bearer ${operatorToken}' } })
      .then((response) => response.text()).then(console.log)`;
      const node = ['-t', String(machine.pid), '-n', process.execPath, '-e', ask];
      return (await promisify(execFile)('nsenter', node)).stdout;
    }

    const untilReady = () =>
      waitFor(
        async () => {
          const status = await machine.bowline('status').catch(() => '');
          return DEVICE_APPS.every((app) => new RegExp(`^${app} +online`, 'm').test(status));
        },
        { what: 'the apps to be ready', everyMs: 200, timeoutMs: 60_000 },
      );

    test('when the machine boots, clock and outbound rules are looked after before the apps are started', async () => {
      const states = 'systemctl is-active bowline bowline-clock bowline-firewall';
      expect(await machine.shell(states)).toBe('active\nactive\nactive\n');
      expect(await machine.shell('nft list table inet bowline')).toContain('chain gateway');
      expect(await machine.shell('journalctl --output=cat --unit=bowline-clock')).toContain(
        '"app":"launcher"',
      );
      expect(await operator('command', 'kiosk-1', 'ping')).toContain('uptimeSeconds');
    });

    test('when pm2 is killed, the unit starts it anew, and each app runs once', async () => {
      const before = await machine.shell('systemctl show --value --property=MainPID bowline');
      await machine.shell(`kill -9 ${before}`);
      await waitFor(
        async () => (await machine.shell('systemctl show --value --property=MainPID bowline')) !== before,
        { everyMs: 200 },
      );
      await untilReady();
      const mains = DEVICE_APPS.map((app) => `apps/${app}/dist/main.js --config`).toSorted();
      await waitFor(
        async () =>
          (await machine.shell(`ps -eo args | grep -o '${MAIN}' | sort`)).trim() === mains.join('\n'),
        { what: 'those that pm2 left behind to end', everyMs: 200, timeoutMs: 15_000 },
      );
    });

    test('when the power goes after an event was taken, it reaches the server after the next boot', async () => {
      await server.kill();
      await machine.bowline('send', '--event', 'door-opened');
      await machine.powerOff();
      await startServer();
      expect(await events()).not.toContain('door-opened');
      await machine.boot();
      await waitFor(async () => (await events()).includes('door-opened'), {
        what: 'the event',
        everyMs: 200,
      });
    });

    test('when an order reboots it, the order ends once it is up again, under another boot id', async () => {
      await machine.writeJson('/etc/bowline/policy.json', { commands: { reboot: {} } });
      const before = await machine.bootId();
      const answer = await operator('command', 'kiosk-1', 'reboot', '--timeout', '50s', '--json');
      const { status, result } = JSON.parse(answer) as { status: string; result: Record<string, unknown> };
      expect(status).toBe('succeeded');
      await machine.booted(before);
      expect(result).toMatchObject({ bootId: await machine.bootId() });
      await untilReady();
    });

    test('when the unit is stopped, all apps have ended by themselves', async () => {
      await machine.shell('systemctl stop bowline');
      expect(await machine.shell(`ps -eo args | grep -c '${MAIN}' || true`)).toBe('0\n');
      const log = await machine.shell('journalctl --boot --output=cat --unit=bowline');
      expect(log).not.toContain('SIGKILL');
    });
  },
);
