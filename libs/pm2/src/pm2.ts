import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { hasCode, TransientError, unrestricted } from '@bowline/runtime';
import { isAlive } from './is-alive.ts';

/** pm2's command line. We only ever start it as a program, so that none of its code runs in a process of ours. */
export const PM2_SCRIPT = join(
  dirname(createRequire(import.meta.url).resolve('pm2/package.json')),
  'bin',
  'pm2',
);

/** One entry of pm2's list. */
export interface Pm2Process {
  id: number;
  name: string;
  namespace: string;
  /** 0 while nothing runs. */
  pid: number;
  /** pm2's word: online, launching, stopping, stopped, errored, waiting restart. */
  status: string;
  restarts: number;
  /** Epoch milliseconds of the last start. */
  startedAt: number;
  memoryBytes: number;
  cpuPercent: number;
  /** Where pm2 puts what it writes; empty if pm2 does not say. */
  outFile: string;
  errorFile: string;
  /** Working folder. */
  cwd: string;
  /** `BOWLINE_RELEASE` of its environment: tree of the release from which the updater has started it; else empty. */
  release: string;
  /** After so many ms pm2 calls an app online that never said that it is ready. */
  listenTimeoutMs: number;
}

export interface Pm2Options {
  /** `PM2_HOME`; short, since pm2 puts sockets there (107 bytes at most). */
  home: string;
  /** Whole environment of pm2's command line; `PM2_HOME` is added. See {@link callerEnvironment}. */
  env: Readonly<Record<string, string>>;
  /**
   * So long pm2 may take to answer, milliseconds; default 30,000. A daemon that hangs must not hang us; but on a small device, or
   * one with much to do, pm2's command line alone takes seconds.
   */
  callDeadlineMs?: number;
}

/** The same for starts and stops, which wait for the apps (`listen_timeout`, `kill_timeout`). */
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;
const CALL_DEADLINE_MS = 30_000;
const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;

/** One pm2 daemon, known by its home. */
export class Pm2 {
  readonly home: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #callDeadlineMs: number;

  constructor({ home, env, callDeadlineMs = CALL_DEADLINE_MS }: Pm2Options) {
    this.home = home;
    this.#env = { ...env, PM2_HOME: home };
    this.#callDeadlineMs = callDeadlineMs;
  }

  /** Whether the daemon answers. Ask this first: any command of pm2 would start a daemon that is not there. */
  isRunning(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(join(this.home, 'rpc.sock'));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
  }

  /** The daemon's pid as it wrote it down; it may be dead. */
  daemonPid(): number | undefined {
    try {
      const pid = Number(readFileSync(join(this.home, 'pm2.pid'), 'utf8'));
      return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** Starts the daemon if it is not there. */
  async startDaemon(): Promise<void> {
    await this.#call(['ping']);
  }

  /** Starts the named apps of an ecosystem file; returns when each is ready or its `listen_timeout` is over. */
  async start(ecosystemFile: string, apps: readonly string[]): Promise<void> {
    await this.#call(['start', ecosystemFile, '--only', apps.join(',')], START_DEADLINE_MS);
  }

  /** @throws TransientError `pm2-away`, `pm2-failed`, `pm2-slow` */
  async list(): Promise<Pm2Process[]> {
    await this.#mustRun();
    const output = await this.#call(['jlist']);
    return parseList(output);
  }

  /**
   * Ends and starts one app; returns when it is ready or its `listen_timeout` is over. What pm2 holds for waiting or for
   * running without a process is stopped first: pm2 would refuse otherwise ("process with pid … already exists").
   *
   * @param how `monitored` false: from now on without what pm2 puts into programs of Node, which keeps one alive whose promise
   * was rejected.
   * @throws TransientError `pm2-away`, `pm2-failed`, `pm2-slow`
   */
  async restart(name: string, { monitored = true }: { monitored?: boolean } = {}): Promise<void> {
    const before = (await this.list()).filter((entry) => entry.name === name);
    if (before.length === 0) throw new TransientError('pm2-failed', `pm2 has no app ${name}`);
    if (before.some(({ status, pid }) => status !== 'online' || !isAlive(pid)))
      await this.#call(['stop', name], STOP_DEADLINE_MS);
    await this.#call(['restart', name, ...(monitored ? [] : ['--no-pmx'])], START_DEADLINE_MS);
  }

  /** Ends one app and forgets it; one that is not there is no error. @throws as `list` */
  async remove(name: string): Promise<void> {
    if ((await this.list()).some((entry) => entry.name === name))
      await this.#call(['delete', name], STOP_DEADLINE_MS);
  }

  /** Ends every app in its order (SIGINT, `kill_timeout`), then the daemon. */
  async kill(deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    await this.#call(['kill'], deadlineMs);
  }

  /** pm2's tail of one app's log files: the last lines of both, then, unless `follow` is false, what comes. */
  tail(name: string, { lines, follow }: { lines: number; follow: boolean }): ChildProcess {
    const args = ['logs', name, '--raw', '--lines', String(lines), ...(follow ? [] : ['--nostream'])];
    return spawn(process.execPath, [PM2_SCRIPT, ...args], {
      env: this.#env,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async #mustRun(): Promise<void> {
    if (await this.isRunning()) return;
    throw new TransientError('pm2-away', `pm2's daemon in ${this.home} is not running`);
  }

  #call(args: readonly string[], deadlineMs = this.#callDeadlineMs): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = {
        env: this.#env,
        cwd: '/',
        timeout: deadlineMs,
        killSignal: 'SIGKILL' as const,
        maxBuffer: OUTPUT_LIMIT_BYTES,
      };
      const [program, argv] = unrestricted(process.execPath, [PM2_SCRIPT, '--silent', ...args]);
      execFile(program, argv, options, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        if (error.signal === options.killSignal && error.code !== 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
          return reject(new TransientError('pm2-slow', `pm2 ${args[0]} did not end within ${deadlineMs} ms`));
        const said = `${stderr}${stdout}`.trim().split('\n').at(-1) ?? '';
        reject(
          new TransientError('pm2-failed', `pm2 ${args[0]} failed: ${said || error.message}`, {
            cause: error,
          }),
        );
      });
    });
  }
}

/** `pm2 jlist` prints one line of JSON; anything before it (a banner, a warning) is not ours to read. */
function parseList(output: string): Pm2Process[] {
  const line = output.split('\n').findLast((text) => text.startsWith('['));
  if (line === undefined) throw new TransientError('pm2-failed', 'pm2 jlist printed no list');
  const entries = JSON.parse(line) as {
    pm_id: number;
    name: string;
    pid?: number;
    monit?: { memory?: number; cpu?: number };
    pm2_env: {
      status: string;
      namespace?: string;
      restart_time?: number;
      pm_uptime?: number;
      listen_timeout?: number;
      pm_cwd?: string;
      BOWLINE_RELEASE?: string;
      pm_out_log_path?: string;
      pm_err_log_path?: string;
    };
  }[];
  return entries.map(({ pm_id, name, pid, monit, pm2_env }) => ({
    id: pm_id,
    name,
    namespace: pm2_env.namespace ?? 'default',
    pid: pid ?? 0,
    status: pm2_env.status,
    restarts: pm2_env.restart_time ?? 0,
    startedAt: pm2_env.pm_uptime ?? 0,
    memoryBytes: monit?.memory ?? 0,
    cpuPercent: monit?.cpu ?? 0,
    outFile: pm2_env.pm_out_log_path ?? '',
    errorFile: pm2_env.pm_err_log_path ?? '',
    cwd: pm2_env.pm_cwd ?? '',
    release: pm2_env.BOWLINE_RELEASE ?? '',
    listenTimeoutMs: pm2_env.listen_timeout ?? 3000,
  }));
}
