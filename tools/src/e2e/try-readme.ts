import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { callerEnvironment, Pm2, type Installation } from '@bowline/pm2';
import { afterThisFile, claimPort, freePort, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { DEFAULT_PORT } from '../demo/layout.ts';
import { markedProcesses } from '../demo/marked-processes.ts';
import { WORKSPACE } from '../test/run.ts';
import { readmeCommands } from './readme-commands.ts';

const DEVICE_APPS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker'];

const commands = readmeCommands(readFileSync(join(WORKSPACE, 'README.md'), 'utf8'));
const command = (pattern: RegExp): string => {
  const found = commands.find((each) => pattern.test(each));
  if (found === undefined) throw new Error(`the README has no command like ${pattern}`);
  return found;
};

/** A newcomer's shell: a home of its own, nothing of this test run; only what npm needs to reach its registry. */
function newcomersEnvironment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_|NX_|VITEST|BOWLINE_|PM2_|NODE_ENV$|NODE_OPTIONS$|XDG_RUNTIME_DIR$|INIT_CWD$|PWD$)/.test(name),
  );
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(kept),
    HOME: home,
    NODE_COMPILE_CACHE: undefined,
    PATH: path.join(':'),
    NPM_CONFIG_USERCONFIG: process.env['NPM_CONFIG_USERCONFIG'] ?? join(homedir(), '.npmrc'),
    NPM_CONFIG_CACHE: process.env['NPM_CONFIG_CACHE'] ?? join(homedir(), '.npm'),
  };
}

/** Pids of processes that live in a folder, whoever started them. */
function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Does what the README says, in a clone that is made there. */
export function tryReadme(checkout: string): void {
  const env = newcomersEnvironment(temporaryFolder());
  let installation: Installation;
  /** Whether the port of the README is ours while this file runs. */
  let isUsual: boolean | undefined;

  /** Runs a line as a newcomer types it. */
  async function type(line: string): Promise<{ code: number | null; stdout: string; all: string }> {
    const child = startProcess('bash', ['-c', line], { cwd: checkout, env });
    const { code } = await child.exited;
    const all = child.stdout() + child.stderr();
    if (code !== 0) console.log(`${line} ended with ${code}:\n${all}`);
    return { code, stdout: child.stdout(), all };
  }

  /** As in the README; on another port only where something else has the usual one. */
  async function start() {
    const line = command(/^npm start$/);
    isUsual ??= await claimPort(DEFAULT_PORT);
    return type(isUsual ? line : `${line} -- --port ${await freePort()}`);
  }

  async function pids(): Promise<Record<string, number>> {
    const pm2 = new Pm2({ home: installation.pm2Home, env: callerEnvironment(process.env, {}) });
    return Object.fromEntries((await pm2.list()).map(({ name, pid }) => [name, pid]));
  }

  test('when it is cloned and installed, nothing fails', async () => {
    mkdirSync(join(checkout, '..'), { recursive: true });
    execFileSync('git', ['clone', '-q', `file://${WORKSPACE}`, checkout], { env });
    afterThisFile(() => void spawnSync('npm', ['stop'], { cwd: checkout, env, stdio: 'ignore' }));
    expect((await type(command(/^npm ci$/))).code).toBe(0);
  });

  test('when it is started, every process is up and the device is connected', async () => {
    const { code, all } = await start();
    expect(code).toBe(0);
    installation = JSON.parse(readFileSync(join(checkout, '.bowline/run.json'), 'utf8')) as Installation;
    expect(Object.keys(await pids())).toEqual(expect.arrayContaining(['fleet-server', ...DEVICE_APPS]));
    for (const app of DEVICE_APPS) expect(all).toContain(app);
    expect(all).toContain(installation.consoleUrl);
    const shown = commands.filter((each) => each.startsWith('npx bowline '));
    for (const each of shown) expect(all).toContain(each.split(' ').slice(0, 3).join(' '));
  });

  test('when an order is given, it succeeds and its steps are shown', async () => {
    const line = command(/^npx bowline fleet command demo ping$/);
    const { code, all } = await type(line);
    expect(code).toBe(0);
    for (const step of ['received', 'started', 'succeeded']) expect(all).toContain(step);
    const json = await type(`${line} --json`);
    expect(json.code).toBe(0);
    expect(() => JSON.parse(json.stdout) as unknown).not.toThrow();
  });

  test('when an order is refused by the device, the exit code says so', async () => {
    const { code } = await type('npx bowline fleet command demo no-such-command');
    expect(code).not.toBe(0);
  });

  test('when the device is asked for its own view, it is online', async () => {
    const line = command(/^npx bowline status$/);
    expect((await type(line)).code).toBe(0);
    const { code, stdout } = await type(`${line} --json`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ link: { state: 'online' } });
  });

  test('when a log is tailed, its lines come and go on coming until Ctrl-C', async () => {
    const line = command(/^npx bowline logs /);
    const child = startProcess('bash', ['-c', line], { cwd: checkout, env, group: true });
    await child.output(/\{.*\}|\d{4}-\d{2}-\d{2}|\d{2}:\d{2}:\d{2}/);
    await child.kill('SIGINT');
  });

  test('when one app is restarted, it alone gets a new pid', async () => {
    const line = command(/^npx bowline restart /);
    const app = line.split(' ').at(-1) ?? '';
    const before = await pids();
    expect((await type(line)).code).toBe(0);
    const after = await waitFor(async () => {
      const now = await pids();
      return now[app] !== before[app] && now[app] !== 0 && now;
    });
    expect({ ...after, [app]: 0 }).toEqual({ ...before, [app]: 0 });
    await waitFor(async () => {
      const { stdout } = await type('npx bowline status --json');
      return (JSON.parse(stdout) as { link: { state: string } }).link.state === 'online';
    });
  });

  test('when it is started again, it says that it runs already', async () => {
    const before = await pids();
    const { code, all } = await type(command(/^npm start$/));
    expect(code).toBe(0);
    expect(all).toMatch(/already/);
    expect(await pids()).toEqual(before);
  });

  test('when the console is opened, the page and the server answer', async () => {
    const page = await fetch(installation.consoleUrl ?? '');
    expect(page.status).toBe(200);
    expect(await page.text()).toMatch(/<script[^>]+src=/);
    expect((await fetch(`${installation.serverUrl}/v1/health`)).status).toBe(200);
  });

  test('when it is stopped, nothing runs, nothing is left in the way and git sees no change', async () => {
    const running = Object.values(await pids());
    expect(running.length).toBeGreaterThanOrEqual(6);
    expect((await type(command(/^npm stop$/))).code).toBe(0);
    expect(running.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(markedProcesses(installation.runDir)).toEqual([]);
    expect(processesIn(checkout)).toEqual([]);
    expect(existsSync(installation.runDir)).toBe(false);
    expect(execFileSync('git', ['status', '--porcelain'], { cwd: checkout, encoding: 'utf8' })).toBe('');
  });
}
