import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_APPS } from '@bowline/pm2';
import { waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DeviceRoot, canInstallDevice } from './device-root.ts';
import { probedIn, probeModule, type Probed } from './probe.ts';

interface Entry {
  name: string;
  script: string;
  args: string[];
  node_args: string[];
  user?: string;
}

/** A row of the table in docs/security.md, which is what is promised. */
interface Row {
  user: string;
  reads: string;
  writes: string;
  addons: string;
  children: string;
  threads: string;
}

const ROWS = rowsOf(readFileSync(join(import.meta.dirname, '../../../docs/security.md'), 'utf8'));

/** The gateway tries to connect and to enrol; it finds nothing on this device's network, which is fine. */
const CONFIG = { enrolment: { server: 'https://127.0.0.1:1' } };

describe.runIf(canInstallDevice())('an installed device (needs root, namespaces, iproute2, systemd)', () => {
  let device: DeviceRoot;
  let entries: Entry[];

  beforeAll(async () => {
    device = await DeviceRoot.install();
    const ecosystem = '/opt/bowline/deploy/ecosystem.config.cjs';
    const load = 'JSON.stringify(require(process.argv[1]).apps)';
    const loaded = await device.run('/opt/bowline/runtime', '-p', load, ecosystem);
    entries = JSON.parse(loaded) as Entry[];
    const secrets = DEVICE_APPS.map((app) => `/var/lib/bowline/${app}/secret`);
    // As each app would make it: its own, for nobody else.
    await device.shell(
      secrets
        .map(
          (file) =>
            `touch ${file} ${file}.db; chown --reference=$(dirname ${file}) ${file} ${file}.db; chmod 600 ${file} ${file}.db`,
        )
        .join('\n'),
    );
    const file = '/etc/bowline/ws-gateway.json';
    await device.writeJson(file, { ...(await device.readJson(file)), ...CONFIG });
  });

  const entryOf = (app: string): Entry => {
    const found = entries.find(({ name }) => name === app);
    if (found === undefined) throw new Error(`the ecosystem file has no ${app}`);
    return found;
  };

  /** Starts the built app as pm2 does: that user and its own group alone, those flags, a clean environment. */
  async function probe(app: string, flags: 'ecosystem' | 'none', waitForStore = false): Promise<Probed> {
    const { user = 'root', node_args, script, args } = entryOf(app);
    const asUser = `--reuid=${user} --regid=${user} --clear-groups env -i -C / /opt/bowline/runtime`.split(
      ' ',
    );
    const flagged = flags === 'ecosystem' ? node_args : [];
    const probing = ['--import', probeModule(app, { waitForStore }), script, ...args];
    return probedIn(await device.run('setpriv', ...asUser, ...flagged, ...probing));
  }

  test('when pm2 starts the ecosystem, every app runs as its user with its own group alone, and joins the hub', async () => {
    await device.startApps();
    // The command line has a socket of its own, too.
    await waitFor(
      async () => {
        const { apps } = JSON.parse(await device.bowline('status', '--json')) as {
          apps: Record<string, { pid?: number } | undefined>;
        };
        return DEVICE_APPS.every((app) => app === 'ws-gateway' || apps[app]?.pid !== undefined);
      },
      { what: 'every app to be registered with the hub', everyMs: 200 },
    );

    for (const app of DEVICE_APPS) {
      const pid = (await device.shell(`cat /run/bowline/pm2/pids/${app}-*.pid`)).trim();
      const processStatus = await device.run('cat', `/proc/${pid}/status`);
      const id = (await device.run('id', '-u', ROWS[app]?.user ?? '')).trim();
      expect(processStatus).toMatch(new RegExp(`^Uid:\\s${id}\\s${id}\\s${id}\\s${id}$`, 'm'));
      expect(processStatus).toMatch(/^Groups:\s*\d*\s*$/m);
      const command = (await device.run('cat', `/proc/${pid}/cmdline`)).split('\0');
      expect(command).toEqual(expect.arrayContaining(entryOf(app).node_args));
    }
    await device.pm2('kill');
  });

  test.each(DEVICE_APPS)(
    'when %s tries what its row in docs/security.md forbids, it is refused; what the row allows works',
    async (app) => {
      const row = ROWS[app];
      const isLimitedToStart = row?.children === 'until its store is open';
      const everything = row?.writes === 'everything';
      const unlessEverything = everything ? 'done' : 'ERR_ACCESS_DENIED';
      const probed = await probe(app, 'ecosystem', isLimitedToStart);
      const uid = (await device.run('id', '-u', row?.user ?? '')).trim();

      expect(probed.identity).toMatch(new RegExp(`^${uid} \\d+ \\d*$`));
      expect(probed).toMatchObject({
        'read own code': 'done',
        'read own configuration': 'done',
        'write own state': 'done',
        'write code': unlessEverything,
        'write configuration': unlessEverything,
        'write policy': unlessEverything,
        'write its log': unlessEverything,
        'start a thread': row?.threads === 'yes' ? 'done' : 'ERR_ACCESS_DENIED',
        'read what all users may':
          everything || row?.reads === 'what its user may' ? 'done' : 'ERR_ACCESS_DENIED',
        'read shadow': everything
          ? 'done'
          : row?.reads === 'what its user may'
            ? 'EACCES'
            : 'ERR_ACCESS_DENIED',
        'look for processes': /processes|everything|what its user may/.test(row?.reads ?? '')
          ? 'done'
          : 'ERR_ACCESS_DENIED',
        // Never allowed, or given up.
        'load an addon': row?.addons === 'no' ? 'ERR_DLOPEN_DISABLED' : 'ERR_ACCESS_DENIED',
        'start a program': row?.children === 'yes' ? 'done' : 'ERR_ACCESS_DENIED',
      });
      for (const other of DEVICE_APPS.filter((each) => each !== app)) {
        expect(probed[`read state of ${other}`]).toMatch(
          everything ? /^done$/ : /^(ERR_ACCESS_DENIED|EACCES)$/,
        );
        expect(probed[`write state of ${other}`]).toBe(unlessEverything);
      }
      expect(row?.addons).toBe(app === 'ws-gateway' ? 'until its store is open' : 'no');
    },
  );

  test.each(DEVICE_APPS.filter((app) => ROWS[app]?.user !== 'root'))(
    'when %s is captured and has shaken off all limits of Node, its user still keeps it from the others',
    async (app) => {
      const probed = await probe(app, 'none');
      expect(probed).toMatchObject({
        'write own state': 'done',
        'start a program': 'done',
        'write code': 'EACCES',
        'write configuration': 'EACCES',
        'write policy': 'EACCES',
        'write its log': 'EACCES',
        'read shadow': 'EACCES',
        'signal a process of root': 'EPERM',
        "connect to pm2's daemon": 'EACCES',
      });
      for (const other of DEVICE_APPS.filter((each) => each !== app)) {
        expect(probed[`read state of ${other}`]).toBe('EACCES');
        expect(probed[`write state of ${other}`]).toBe('EACCES');
        expect(probed[`SQLite in the state of ${other}`]).toBe('ERR_SQLITE_ERROR');
      }
    },
  );

  test('when the installation is run again, owners and modes are set right and a changed configuration is kept', async () => {
    const token = '/var/lib/bowline/ws-gateway/enrolment-token';
    const folders = ['/var/lib/bowline/ws-gateway', '/run/bowline/hub'];
    await device.shell(
      `chown root ${folders[0]}; chmod 777 ${folders[1]}; umask 77; touch ${token}; echo {} > /etc/bowline/ota-updater.json`,
    );
    await device.run('/checkout/deploy/install');
    const stat = await device.run('stat', '-c', '%U %a', ...folders, token);
    expect(stat).toBe('bowline-gateway 700\nbowline-gateway 700\nbowline-gateway 600\n');
    expect(await device.run('cat', '/etc/bowline/ota-updater.json')).toBe('{}\n');
  });
});

/** The rows of the table whose first column is `process`. */
function rowsOf(page: string): Record<string, Row | undefined> {
  const lines = page
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
  const first = lines.findIndex(([, head]) => head === 'process');
  const heads = lines[first] ?? [];
  const cell = (line: string[], head: string) => line[heads.indexOf(head)] ?? '';
  return Object.fromEntries(
    lines
      .slice(first + 2)
      .filter(([, app]) => (DEVICE_APPS as readonly string[]).includes(app ?? ''))
      .map((line) => [
        line[1],
        {
          user: cell(line, 'user'),
          reads: cell(line, 'reads'),
          writes: cell(line, 'writes'),
          addons: cell(line, 'addons'),
          children: cell(line, 'children'),
          threads: cell(line, 'threads'),
        },
      ]),
  );
}
