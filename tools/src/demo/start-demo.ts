import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { callerEnvironment, DEVICE_APPS, Pm2, type Installation, type Pm2Process } from '@bowline/pm2';
import { acquireLock, ConfigError, readFileIfPresent, type Lock } from '@bowline/runtime';
import { buildApps } from './build-apps.ts';
import { DemoError } from './demo-error.ts';
import { isEnrolled, makeFolders, writeDeviceConfig, writeServerConfig } from './device-config.ts';
import { endRun, pm2In } from './end-run.ts';
import { FleetApi } from './fleet-api.ts';
import { DEMO_GROUP, DEVICE_ID, deviceIn, makePrivateFolder, type DemoLayout } from './layout.ts';
import { writeLogRotation } from './log-rotation.ts';
import { markOf } from './marked-processes.ts';
import { checkBuilt, checkPort, pinnedRuntime } from './preflight.ts';
import { readRunFile, writeRunFile } from './run-file.ts';

const SERVER = 'fleet-server';
const UPKEEP = 'upkeep';
const PROGRAMS = [SERVER, ...DEVICE_APPS, 'cli'];
const BUILT = [...PROGRAMS, 'fleet-console'];

const SERVER_DEADLINE_MS = 20_000;
const ONLINE_DEADLINE_MS = 30_000;
const POLL_MS = 50;

export interface StartOptions {
  port: number;
  build: boolean;
  /** Tells the person what is going on. */
  say: (line: string) => void;
  /** Aborted when the person calls it off: no further process is started. */
  signal: AbortSignal;
}

export interface RunningDemo {
  installation: Installation;
  processes: Pm2Process[];
  /** It ran before this start. */
  already: boolean;
  /** Whether logrotate is there to rotate the logs. */
  rotates: boolean;
}

/**
 * Brings up the server and one device and returns when both are ready and joined. Whatever an earlier run left behind is
 * ended first; if this start fails, all that it started is ended too.
 *
 * @throws DemoError with a sentence for the person at the terminal.
 */
export async function startDemo(layout: DemoLayout, options: StartOptions): Promise<RunningDemo> {
  const lock = lockOut(layout);
  try {
    const running = await findRunning(layout);
    if (running !== undefined) return running;
    if ((await endRun(layout)) > 0) options.say('ended what an earlier run had left behind');
    await checkPort(options.port);
    return await bringUp(layout, options);
  } finally {
    lock.release();
  }
}

/** Keeps two starts, or a start and a stop, from working against each other. */
export function lockOut(layout: DemoLayout): Lock {
  try {
    return acquireLock(layout.lockFile);
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== 'already-running') throw error;
    throw new DemoError(
      'Another npm start or npm stop is at work in this checkout.',
      'Wait until it is done.',
      error,
    );
  }
}

/** A run that is up: its daemon and its server answer. Anything less is cleared away and started anew. */
async function findRunning(layout: DemoLayout): Promise<RunningDemo | undefined> {
  const installation = readRunFile(layout.runFile);
  if (installation?.serverUrl === undefined) return undefined;
  const pm2 = pm2In(installation.runDir);
  if (!(await pm2.isRunning())) return undefined;
  if (!(await new FleetApi(installation.serverUrl, '').isHealthy())) return undefined;
  return { installation, processes: await pm2.list(), already: true, rotates: true };
}

async function bringUp(layout: DemoLayout, options: StartOptions): Promise<RunningDemo> {
  makeFolders(layout);
  makePrivateFolder(layout.runDir);
  makePrivateFolder(layout.hubFolder);
  makePrivateFolder(layout.pm2Home);
  rmSync(layout.runtime, { force: true });
  symlinkSync(pinnedRuntime(layout.checkout), layout.runtime);
  const logrotateConf = writeLogRotation(layout);
  const pm2 = daemonOf(layout, logrotateConf);
  const ecosystem = join(layout.checkout, 'deploy', 'ecosystem.config.cjs');

  try {
    const build = options.build ? buildApps(layout, BUILT) : undefined;
    await Promise.all([build, pm2.startDaemon()]);
    checkBuilt(layout.checkout, PROGRAMS);

    const infoFile = join(layout.runDir, 'server.json');
    writeServerConfig(layout, options.port, infoFile);
    options.signal.throwIfAborted();
    await pm2.start(ecosystem, [SERVER]);
    const { url, operatorTokenFile } = await serverInfo(layout, infoFile);
    const token = readFileSync(operatorTokenFile, 'utf8').trim();
    const fleet = new FleetApi(url, token);
    options.say(`the server listens at ${url}`);

    const enrolled = isEnrolled(layout);
    await writeDeviceConfig(
      layout,
      url,
      enrolled ? undefined : await fleet.enrolmentToken(DEVICE_ID, [DEMO_GROUP]),
    );
    options.signal.throwIfAborted();
    const startedAt = Date.now();
    await pm2.start(ecosystem, [...DEVICE_APPS, UPKEEP]);
    await untilOnline(layout, fleet, startedAt);
    const processes = await pm2.list();
    checkProcesses(layout, processes);

    const installation: Installation = {
      ...deviceIn(layout),
      serverUrl: url,
      consoleUrl: `${url}/#token=${token}`,
      operatorTokenFile,
      deviceId: DEVICE_ID,
    };
    writeRunFile(layout.runFile, installation);
    return { installation, processes, already: false, rotates: logrotateConf !== undefined };
  } catch (error) {
    await endRun(layout);
    throw error;
  }
}

function daemonOf(layout: DemoLayout, logrotateConf: string | undefined): Pm2 {
  const own = {
    ...markOf(layout.runDir),
    BOWLINE_ROOT: layout.checkout,
    BOWLINE_RUNTIME: layout.runtime,
    BOWLINE_CONFIG_DIR: layout.configDir,
    BOWLINE_STATE_DIR: layout.stateDir,
    BOWLINE_RUN_DIR: layout.runDir,
    BOWLINE_LOG_DIR: layout.logDir,
    BOWLINE_SINGLE_USER: '1',
    BOWLINE_FLEET_SERVER: '1',
    ...(logrotateConf === undefined ? {} : { BOWLINE_LOGROTATE_CONF: logrotateConf }),
  };
  return new Pm2({ home: layout.pm2Home, env: callerEnvironment(process.env, own) });
}

/** What the server writes when it listens. */
async function serverInfo(
  layout: DemoLayout,
  infoFile: string,
): Promise<{ url: string; operatorTokenFile: string }> {
  const deadline = performance.now() + SERVER_DEADLINE_MS;
  while (performance.now() < deadline) {
    const text = readFileIfPresent(infoFile);
    if (text !== undefined) return JSON.parse(text) as { url: string; operatorTokenFile: string };
    await sleep(POLL_MS);
  }
  throw new DemoError(
    `The server did not listen within ${SERVER_DEADLINE_MS / 1000} s.`,
    logAdvice(layout, SERVER),
  );
}

async function untilOnline(layout: DemoLayout, fleet: FleetApi, startedAt: number): Promise<void> {
  const deadline = performance.now() + ONLINE_DEADLINE_MS;
  while (performance.now() < deadline) {
    if (await fleet.isOnline(DEVICE_ID)) return;
    checkConfigured(layout, 'ws-gateway', startedAt);
    await sleep(POLL_MS);
  }
  throw new DemoError(
    `The device did not connect within ${ONLINE_DEADLINE_MS / 1000} s.`,
    logAdvice(layout, 'ws-gateway'),
  );
}

/** pm2 calls an app online that never said that it is ready, once `listen_timeout` is over: that is not ready. */
function checkProcesses(layout: DemoLayout, processes: readonly Pm2Process[]): void {
  for (const app of [SERVER, ...DEVICE_APPS]) {
    const found = processes.find(({ name }) => name === app);
    if (found?.status === 'online' && found.restarts === 0) continue;
    throw new DemoError(
      `${app} did not become ready (${found?.status ?? 'not in pm2'}, restarts: ${found?.restarts ?? 0}).`,
      logAdvice(layout, app),
    );
  }
}

interface LogLine {
  time?: string;
  state?: string;
  message?: string;
}

/** An app that cannot use its configuration stays up and says why in its log: nobody need wait for it. */
function checkConfigured(layout: DemoLayout, app: string, startedAt: number): void {
  const lines = (readFileIfPresent(join(layout.logDir, `${app}.log`)) ?? '').trimEnd().split('\n');
  const fault = lines
    .filter((line) => line.includes('"state":"misconfigured"'))
    .map((line) => JSON.parse(line) as LogLine)
    .find(({ time = '' }) => Date.parse(time) >= startedAt);
  if (fault !== undefined)
    throw new DemoError(`${app} cannot start: ${fault.message}.`, 'Mend that, then run npm start again.');
}

/** The logs stay when the processes are gone. */
function logAdvice(layout: DemoLayout, app: string): string {
  const log = join(layout.logDir, `${app}.log`);
  const last = (readFileIfPresent(log) ?? '').trimEnd().split('\n').slice(-5).join('\n');
  return `Read ${log} and ${app}.stderr.log beside it.${last === '' ? '' : ` It ends with:\n\n${last}`}`;
}
