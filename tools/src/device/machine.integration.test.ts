import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { AUDIT_START, followAuditChain } from '@bowline/identity';
import type { AuditEntry, AuditMark, DeviceConfig, Order, StoredEvent } from '@bowline/messages';
import type { HubRequests } from '@bowline/messages/hub';
import { DEVICE_APPS } from '@bowline/pm2';
import { needs, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { canBootMachine, Machine } from './machine.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
/** The one that the outbound rules let the gateway reach. */
const SERVER = 'http://127.0.0.1:443';
const KILL_BROKER = "pkill -9 -f '[s]sh-broker/dist/main.js'";
/** Of a session. */
const SLICE = /bowline-ssh-[0-9a-f_]{36}/;
const SSH_POLICY = { ssh: { users: ['support'], maxSeconds: 3600, capabilities: ['exec'] } };
/** What an operator is told, by what the server has heard of it until then. */
const GONE = /kiosk-1 is not connected any more|The session was cut off: the|bowline fleet order /;
const MAIN = 'apps/[a-z-]*/dist/main.js --config';

/** A session in which a program runs. */
interface HeldOpen {
  /** What the operator was told at its end. */
  ended: Promise<string>;
  /** Its slice. */
  session: string;
}

describe.runIf(canBootMachine())(
  'a device that boots (needs root, namespaces, systemd, systemd-nspawn)',
  () => {
    let machine: Machine;
    let server: TestProcess;
    let operatorToken: string;
    const canSsh = needs('openssh-server') && needs('openssh-client');
    const [serverFolder, operatorHome] = [temporaryFolder(), temporaryFolder()];

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
    });

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

    const operator = (...args: string[]): Promise<string> => bowline('fleet', ...args);

    async function bowline(...args: string[]): Promise<string> {
      const cli = [process.execPath, join(CHECKOUT, 'apps/cli/dist/main.js'), ...args];
      const { stdout } = await promisify(execFile)('nsenter', ['-t', String(machine.pid), '-n', ...cli], {
        cwd: operatorHome,
        env: {
          PATH: process.env['PATH'],
          HOME: operatorHome,
          BOWLINE_SERVER: SERVER,
          BOWLINE_TOKEN: operatorToken,
        },
      }).catch((error: { stdout: string; stderr: string }) => {
        throw new Error(`${error.stdout}${error.stderr}`);
      });
      return stdout;
    }

    /** What the operators' API answers; to a body by POST. */
    async function ask<T>(path: string, body?: object): Promise<T> {
      const headers = { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' };
      const call = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) };
      const script = `fetch('${SERVER}${path}', ${JSON.stringify(call)})
        .then((response) => response.text()).then(console.log)`;
      const node = ['-t', String(machine.pid), '-n', process.execPath, '-e', script];
      return JSON.parse((await promisify(execFile)('nsenter', node)).stdout) as T;
    }

    const allEvents = async () =>
      (await ask<{ events: StoredEvent[] }>('/v1/devices/kiosk-1/events?limit=200')).events;
    const events = async (): Promise<string> => JSON.stringify(await allEvents());

    /** What the device has told of a session. */
    const eventsOf = async (sessionId: string) =>
      (await allEvents())
        .filter(({ data }) => data['sessionId'] === sessionId)
        .map(({ kind, data }) => ({ kind, ...(data as { chain?: AuditMark & { prev: string } }) }));

    /** How many processes of sessions there are, then units and control groups of this one. */
    const leftOf = (session: string): Promise<string> =>
      machine.shell(`ps -eo args | grep -c '[s]leep 1000' || true
systemctl list-units --all --plain --no-legend '${session}*'
find /sys/fs/cgroup -name '${session}*'`);

    /** A shell that runs a program of its own until it is ended. */
    async function holdOpen(): Promise<HeldOpen> {
      const ended = bowline('ssh', 'kiosk-1', '--user', 'support', '--', 'setsid nohup sleep 1000').catch(
        String,
      );
      const units = "systemctl list-units --plain --no-legend 'bowline-ssh-*.slice'";
      const [session = ''] = await waitFor(async () => SLICE.exec(await machine.shell(units)), {
        what: 'its slice',
      });
      await waitFor(async () => !(await leftOf(session)).startsWith('0\n'), { what: 'it to run' });
      return { ended, session };
    }

    /** Nothing of a session is left, its end is told on both sides, and its grant opens no other. */
    async function expectOver(shell: HeldOpen | undefined, end: object, told = GONE): Promise<void> {
      if (shell === undefined) return;
      const sessionId = shell.session.slice('bowline-ssh-'.length).replaceAll('_', '-');
      expect(await shell.ended).toMatch(told);
      const audited = () => eventsOf(sessionId).then((all) => all.filter(({ chain }) => chain !== undefined));
      const last = await waitFor(async () => (await audited()).find(({ kind }) => kind === 'ssh.ended'), {
        what: `the end of session ${sessionId}`,
        everyMs: 200,
      });
      expect(last).toMatchObject(end);
      expect(await leftOf(shell.session)).toBe('0\n');

      const file = await machine.shell('cat /var/lib/bowline/ssh-broker/audit.ndjson');
      const entries = file
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as AuditEntry);
      expect(followAuditChain(AUDIT_START, entries).fault).toBeUndefined();
      for (const { kind, chain } of await audited())
        expect(entries).toContainEqual(expect.objectContaining({ action: kind, ...chain }));

      const used = await waitFor(
        async () => {
          const { orders } = await ask<{ orders: Order[] }>('/v1/devices/kiosk-1/orders');
          return orders.find(
            ({ type, result }) =>
              type === 'sshAccess' && (result as { sessionId?: string } | undefined)?.sessionId === sessionId,
          );
        },
        { what: 'the end of its order', everyMs: 200 },
      );
      expect(used).toMatchObject({ status: 'failed', error: { code: 'session-cut-off' } });
      const given = await ask<Order>('/v1/devices/kiosk-1/orders', {
        type: 'sshAccess',
        // Whoever reads orders is not told the device's token.
        payload: { ...used.payload, token: 'any' },
      });
      const again = await waitFor(
        async () => {
          const order = await ask<Order>(`/v1/orders/${given.orderId}`);
          return order.error && order;
        },
        { what: 'the answer to the grant that was used' },
      );
      expect(again).toMatchObject({ status: 'rejected', error: { code: 'wrong-order' } });
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

    test.runIf(canSsh)(
      'when a shell is granted, it is a unit of its own that what narrows the service does not reach, and nothing of it stays',
      async () => {
        await machine.writeJson('/etc/bowline/policy.json', SSH_POLICY);
        await machine.shell("useradd --create-home --password '*' support");
        const narrow = '[Service]\nNoNewPrivileges=yes\n';
        const folder = '/etc/systemd/system/bowline.service.d';
        await machine.shell(`mkdir ${folder}; printf '${narrow}' > ${folder}/narrow.conf`);
        await machine.shell('systemctl daemon-reload; systemctl restart bowline');
        await untilReady();
        await bowline('keys', 'new', 'access');
        const rootKey = join(serverFolder, 'state/root-key.pem');
        await operator('trust', 'add-key', 'access', 'access', '--sign', rootKey);
        await operator('trust', 'publish', 'trust-draft.json');

        const look =
          'id -un; cat /proc/self/cgroup /proc/self/status; setsid nohup sleep 1000 >/dev/null 2>&1 &';
        const seen = await bowline('ssh', 'kiosk-1', '--user', 'support', '--', look);
        expect(seen).toMatch(/^support$/m);
        expect(seen).toMatch(SLICE);
        expect(seen).toMatch(/^NoNewPrivs:\s+0$/m);
        await waitFor(async () => /"survivors":0/.test(await events()), { what: 'the end', everyMs: 200 });
        expect(await leftOf(SLICE.exec(seen)?.[0] ?? '')).toBe('0\n');

        const { ended, session } = await holdOpen();
        await machine.shell(KILL_BROKER);
        expect(await ended).toMatch(GONE);
        await waitFor(async () => /"end":"cut-off"[^}]*"survivors":0/.test(await events()), {
          what: 'the end that is told',
          everyMs: 200,
        });
        expect(await leftOf(session)).toBe('0\n');

        const again = await holdOpen();
        const main = (signal: string) => `systemctl kill --kill-who=main --signal=${signal} bowline`;
        // pm2 would start the broker again, which would end it.
        await machine.shell(`${main('SIGSTOP')}; ${KILL_BROKER}; ${main('SIGKILL')}; systemctl stop bowline`);
        expect(await again.ended).toMatch(GONE);
        await waitFor(async () => (await leftOf(again.session)).startsWith('0\n'), { what: 'its end' });
        await machine.shell('systemctl start bowline');
        await untilReady();
      },
    );

    test('when its journal is asked for, the collector may read it, though it is not root', async () => {
      const wish = ['--kind', 'journal', '--app', 'bowline-clock', '--from', '1h', '--json'];
      const answer = await operator('history', 'ask', 'kiosk-1', ...wish);
      const { items } = JSON.parse(answer) as { items: { unit?: string; message: string }[] };
      expect(items.some(({ message }) => message.includes('"app":"launcher"'))).toBe(true);
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
        { what: 'those that pm2 left behind to end', everyMs: 200 },
      );
    });

    test('when the power goes after an event was taken, it reaches the server after the next boot', async () => {
      const shell = canSsh ? await holdOpen() : undefined;
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
      await expectOver(
        shell,
        { end: 'cut-off', rebooted: true, survivors: 0 },
        /The connection to the server was lost/,
      );
    });

    test('when an order reboots it, the order ends once it is up again, under another boot id', async () => {
      await machine.writeJson('/etc/bowline/policy.json', { ...SSH_POLICY, commands: { reboot: {} } });
      const shell = canSsh ? await holdOpen() : undefined;
      const before = await machine.bootId();
      const answer = await operator('command', 'kiosk-1', 'reboot', '--timeout', '50s', '--json');
      const { status, result } = JSON.parse(answer) as { status: string; result: Record<string, unknown> };
      expect(status).toBe('succeeded');
      await machine.booted(before);
      expect(result).toMatchObject({ bootId: await machine.bootId() });
      await untilReady();
      await expectOver(shell, { end: expect.stringMatching(/^(broker-stopped|cut-off)$/), survivors: 0 });
    });

    const push = (sections: object, ...more: string[]) => {
      const file = join(serverFolder, 'document.json');
      writeFileSync(file, JSON.stringify(sections));
      return operator('config', 'push', 'kiosk-1', file, '--json', ...more);
    };
    const configured = async () =>
      JSON.parse(await machine.bowline('config', 'show', '--json')) as HubRequests['config']['response'];
    const inForce = async (app: string, key: string) => {
      const { apps } = await configured();
      const entry = apps[app]?.view?.entries.find((each) => each.key === key);
      return entry && [entry.value, entry.source];
    };
    const drift = async () => {
      const { drift: said, report } = JSON.parse(
        await operator('config', 'show', 'kiosk-1', '--json'),
      ) as DeviceConfig;
      return { drift: said, report };
    };

    test('when a change of the link is kept, it holds through a reboot', async () => {
      const sections = {
        'ws-gateway': { link: { probeDeadlineMs: 4000 } },
        'telemetry-collector': { series: { uptime: { intervalMs: 2000 } } },
      };
      expect(JSON.parse(await push(sections))).toMatchObject({ status: 'succeeded' });
      const before = await machine.bootId();
      await operator('command', 'kiosk-1', 'reboot', '--timeout', '50s');
      await machine.booted(before);
      await untilReady();
      expect(await configured()).toMatchObject({ version: 1, phase: 'settled' });
      expect(await inForce('ws-gateway', 'link.probeDeadlineMs')).toEqual([4000, 'cloud']);
      expect(await inForce('telemetry-collector', 'series.uptime.intervalMs')).toEqual([2000, 'cloud']);
      await waitFor(async () => (await drift()).drift === undefined, { what: 'hashes that agree' });
    });

    test('when the power goes while no server answers a change of the link, the device is back on the last good document by itself', async () => {
      // No link lasts under it, so that it is still on trial when the server falls silent.
      const sections = {
        'ws-gateway': { link: { deadAfterMs: 1 } },
        'telemetry-collector': { series: { uptime: { intervalMs: 3000 } } },
      };
      const pushing = push(sections, '--confirm-within', '10m', '--timeout', '100s').catch(String);
      await waitFor(
        async () => (await inForce('telemetry-collector', 'series.uptime.intervalMs'))?.[0] === 3000,
        { what: 'the trial', everyMs: 100 },
      );
      process.kill(server.pid, 'SIGSTOP');
      expect(await configured()).toMatchObject({ phase: 'applying', candidate: 2 });
      await machine.powerOff();
      await machine.boot();
      await untilReady();
      const { documents } = await waitFor(
        async () => {
          const now = await configured();
          return now.phase === 'settled' && now;
        },
        { what: 'the return', everyMs: 100 },
      );
      expect(documents).toMatchObject([
        { version: 2, outcome: 'rolledBack' },
        { version: 1, outcome: 'applied' },
      ]);
      expect(await machine.bowline('config', 'history')).toContain('2 went back: ws-gateway: the device or');
      expect(await inForce('ws-gateway', 'link.deadAfterMs')).toEqual([60_000, 'default']);
      expect(await inForce('ws-gateway', 'link.probeDeadlineMs')).toEqual([4000, 'cloud']);
      expect(await inForce('telemetry-collector', 'series.uptime.intervalMs')).toEqual([2000, 'cloud']);
      process.kill(server.pid, 'SIGCONT');
      expect(await pushing).toContain('config-rolled-back');
      expect(await drift()).toMatchObject({
        drift: 'version',
        report: { version: 2, status: 'rolledBack', errors: [{ app: 'ws-gateway' }] },
      });
    });

    test('when the unit is stopped, all apps have ended by themselves', async () => {
      await machine.shell('systemctl stop bowline');
      expect(await machine.shell(`ps -eo args | grep -c '${MAIN}' || true`)).toBe('0\n');
      const log = await machine.shell('journalctl --boot --output=cat --unit=bowline');
      expect(log).not.toContain('SIGKILL');
    });
  },
);
