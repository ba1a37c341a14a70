import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive } from '@bowline/pm2';
import { freePort } from '@bowline/testing';
import { ended, FakeCheckout } from './testing/fake-checkout.ts';

const APPS = [
  'fleet-server',
  'ws-gateway',
  'command-executor',
  'telemetry-collector',
  'ota-updater',
  'ssh-broker',
];

let checkout: FakeCheckout;
let port: string;

beforeEach(async () => {
  checkout = new FakeCheckout();
  port = String(await freePort());
});
afterEach(() => checkout.dispose());

describe('npm start and npm stop', () => {
  test('when started, everything runs and the console and four commands are shown', async () => {
    const { code, output } = await checkout.start(['--port', port]);

    expect(output).toContain(`http://127.0.0.1:${port}/#token=operator`);
    for (const app of APPS) {
      expect(output).toMatch(new RegExp(`│ ${app} +│ ${checkout.pidOf(app)} +│ online`));
      expect(isAlive(checkout.pidOf(app))).toBe(true);
    }
    for (const command of [
      'fleet command demo ping',
      'status',
      'logs telemetry-collector',
      'restart ws-gateway',
    ]) {
      expect(output).toContain(`npx bowline ${command}`);
    }
    expect(code).toBe(0);
  });

  test('when started a second time, it says that it runs already and touches nothing', async () => {
    await checkout.start(['--port', port]);
    const before = APPS.map((app) => checkout.pidOf(app));

    const { code, output } = await checkout.start(['--port', port]);

    expect(output).toContain('runs already');
    expect(output).toContain(`http://127.0.0.1:${port}/#token=operator`);
    expect(code).toBe(0);
    expect(APPS.map((app) => checkout.pidOf(app))).toEqual(before);
  });

  test('when stopped, no process is left and a second stop is fine', async () => {
    await checkout.start(['--port', port]);
    const pids = checkout.processes();
    expect(pids.length).toBe(APPS.length + 1);

    const { code, output } = await checkout.stop();

    expect(output).toContain('Stopped');
    expect(code).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(checkout.layout.runDir)).toBe(false);
    const second = await checkout.stop();
    expect(second).toEqual({ code: 0, output: 'Nothing runs here.\n' });
  });

  test('when started again after a stop, the device keeps its enrolment and spends no other token', async () => {
    await checkout.start(['--port', port]);
    const enrolment = join(checkout.layout.stateDir, 'ws-gateway/enrolment.json');
    const tokenFile = join(checkout.layout.stateDir, 'ws-gateway/enrolment-token');
    expect(readFileSync(tokenFile, 'utf8')).toBe('');
    const before = readFileSync(enrolment, 'utf8');
    await checkout.stop();

    expect((await checkout.start(['--port', port])).code).toBe(0);

    expect(readFileSync(enrolment, 'utf8')).toBe(before);
    expect(readFileSync(tokenFile, 'utf8')).toBe('');
  });

  test('when the path of the checkout has 200 characters, it starts and stops all the same', async () => {
    const deep = new FakeCheckout({ pathLength: 200 });
    try {
      expect(deep.folder.length).toBeGreaterThanOrEqual(200);
      expect((await deep.start(['--port', port])).code).toBe(0);
      expect((await deep.stop()).code).toBe(0);
      expect(deep.processes()).toEqual([]);
    } finally {
      await deep.dispose();
    }
  });
});

describe('what can be wrong at the start', () => {
  const nothingRuns = () => expect(checkout.processes()).toEqual([]);
  const oneSentence = (output: string) => expect(output).not.toMatch(/\n {4}at /);

  test('when the port is taken, it says so before anything is started', async () => {
    const other = createServer().listen(Number(port), '127.0.0.1');
    try {
      const { code, output } = await checkout.start(['--port', port]);
      expect(output).toContain(`Port ${port} is taken by another program.`);
      expect(output).toContain('npm start -- --port');
      expect(code).toBe(1);
      oneSentence(output);
      nothingRuns();
    } finally {
      other.close();
    }
  });

  test('when the folder is read-only, it says so', async () => {
    chmodSync(checkout.root, 0o755);
    chmodSync(checkout.folder, 0o555);
    // Root may write anywhere, so another user starts it then.
    const { code, output } = await checkout.start(
      ['--port', port],
      process.getuid?.() === 0 ? { uid: 65_534 } : {},
    );
    chmodSync(checkout.folder, 0o755);

    expect(output).toContain(`Cannot write to ${checkout.layout.home} (EACCES)`);
    expect(code).toBe(1);
    oneSentence(output);
  });

  test('when a library is missing, it names it', async () => {
    checkout.forget('cli-table3');
    const { code, output } = await checkout.start(['--port', port]);
    expect(output).toContain('node_modules is incomplete: cli-table3.\nRun: npm ci');
    expect(code).toBe(1);
    nothingRuns();
  });

  test('when nothing is installed, it says what to run, on whatever Node', async () => {
    rmSync(join(checkout.folder, 'node_modules'));
    const { code, output } = await ended(checkout.launch('launch.js', ['start']));
    expect(output).toBe('The dependencies are not installed.\nRun: npm ci\n');
    expect(code).toBe(1);
  });

  test('when the build fails, it shows why and nothing is left running', async () => {
    writeFileSync(join(checkout.folder, 'nx.json'), '{"analytics":false,"neverConnectToCloud":true}');
    const project = { name: '@bowline/ssh-broker', scripts: { build: 'echo a type is wrong; exit 3' } };
    writeFileSync(join(checkout.folder, 'apps/ssh-broker/package.json'), JSON.stringify(project));
    const { code, output } = await ended(checkout.launch('launch.js', ['start', '--port', port]));
    expect(output).toContain('The build failed.');
    expect(output).toContain('@bowline/ssh-broker:build');
    expect(output).toContain('a type is wrong');
    expect(code).toBe(1);
    oneSentence(output);
    nothingRuns();
  });

  test('when an app is not built, it names it and nothing is left running', async () => {
    rmSync(join(checkout.folder, 'apps/ssh-broker/dist'), { recursive: true });
    const { code, output } = await checkout.start(['--port', port]);
    expect(output).toContain('Not built: ssh-broker.');
    expect(code).toBe(1);
    oneSentence(output);
    nothingRuns();
  });

  test('when an app crashes at its start, it says which and nothing is left running', async () => {
    checkout.ask('ota-updater', 'crash');
    const { code, output } = await checkout.start(['--port', port]);
    expect(output).toContain('ota-updater did not become ready');
    expect(output).toContain('crashing as asked');
    expect(code).toBe(1);
    nothingRuns();
    expect(existsSync(checkout.layout.runFile)).toBe(false);
  });

  test('when the folder for the sockets is open to others, it is refused', async () => {
    mkdirSync(checkout.layout.runDir, { mode: 0o777 });
    chmodSync(checkout.layout.runDir, 0o777);
    const { code, output } = await checkout.start(['--port', port]);
    expect(output).toContain(`${checkout.layout.runDir} is not a folder that belongs to you alone.`);
    expect(code).toBe(1);
    nothingRuns();
    rmSync(checkout.layout.runDir, { recursive: true });
  });

  test('when the folder for the sockets is a link, it is refused', async () => {
    const elsewhere = join(checkout.root, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o700 });
    symlinkSync(elsewhere, checkout.layout.runDir);
    const { code, output } = await checkout.start(['--port', port]);
    expect(output).toContain('is not a folder that belongs to you alone.');
    expect(code).toBe(1);
    rmSync(checkout.layout.runDir);
  });

  test('when an option is wrong, it says which', async () => {
    expect((await checkout.start(['--port', 'http'])).output).toContain(
      '--port must be a number from 1 to 65535',
    );
    expect((await checkout.start(['--prot', port])).output).toContain("Unknown option '--prot'");
  });

  test('when run.json is broken or names a run from before a reboot, it is ignored', async () => {
    mkdirSync(checkout.layout.home, { recursive: true });
    for (const content of ['{"runDir": "/tmp', JSON.stringify(staleRun())]) {
      writeFileSync(checkout.layout.runFile, content);
      expect((await checkout.start(['--port', port])).code).toBe(0);
      expect((await checkout.stop()).code).toBe(0);
    }
  });

  const staleRun = () => ({
    runDir: '/tmp/bowline-0-000000000000',
    hubFolder: '/tmp/bowline-0-000000000000/hub',
    pm2Home: '/tmp/bowline-0-000000000000/pm2',
    serverUrl: `http://127.0.0.1:${port}`,
  });
});
