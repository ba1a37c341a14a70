import { join } from 'node:path';
import { mayRestart, type HubClient } from '@bowline/ipc';
import { bootId, readJsonIfPresent, writeFileDurably, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import { redactText } from '@bowline/runtime/redact';
import { suggest } from '@bowline/runtime/suggest';
import type { ExecutorConfig } from '../config.ts';
import type { Machine, RunningOrder } from '../core/command.ts';
import { BundleUpload } from './bundle-upload.ts';
import { LogLevels, type KeptReturn, type LogLevelPorts } from './log-levels.ts';
import type { Program, Programs } from './programs/run-program.ts';
import { readConfiguration, readLogs } from './read-diagnostics.ts';

export interface MachinePorts {
  config: Pick<
    ExecutorConfig,
    | 'stateDir'
    | 'programs'
    | 'pm2Home'
    | 'configFolder'
    | 'logFolder'
    | 'diagnosticsBytes'
    | 'outputLineChars'
  >;
  programs: Pick<Programs, 'run'>;
  hub: Pick<HubClient, 'request' | 'enqueue'>;
  log: Logger;
  clock: Clock;
}

const STATUS_WITHIN_MS = 5000;

/** What commands may have done to this machine: with the programs of the configuration, pm2 and the gateway. */
export function machineOf({ config, programs, hub, log, clock }: MachinePorts): Machine {
  const { pm2Home, configFolder, logFolder, diagnosticsBytes, outputLineChars } = config;
  const bundles = new BundleUpload(join(config.stateDir, 'diagnostics'), hub, () => clock.wallMs());
  const levels = new LogLevels({
    apply: async (app, level) => {
      if (app === 'command-executor') return log.changeLevel?.(level as 'info') ?? 'info';
      return (await hub.request('setLogLevel', { app: app as 'ws-gateway', level: level as 'info' }))
        .previous;
    },
    clock,
    // Unlike the clock of the process, it counts from the boot.
    now: () => ({ bootId: bootId(), monotonicMs: Number(process.hrtime.bigint() / 1_000_000n) }),
    kept: keptReturns(join(config.stateDir, 'log-levels.json')),
    log,
  });
  return {
    control: (what, order, signal) =>
      programs.run({ ...named(what, config.programs[what], order), survivesStop: true }, signal),

    script: async ({ text, user }, order, signal) => {
      const [stdout, stderr] = [new Kept(outputLineChars), new Kept(outputLineChars)];
      await programs.run(
        {
          ...named('runScript', [...config.programs.shell, text], order),
          user,
          onOutput: (more) => stdout.add(more),
          onErrorOutput: (more) => stderr.add(more),
        },
        signal,
      );
      return { stdout: stdout.text, stderr: stderr.text, truncated: stdout.cut || stderr.cut };
    },

    restartApp: async (app) => {
      // A gateway that does not answer may be the one that is to be restarted.
      const status = await hub.request('status', {}, { deadlineMs: STATUS_WITHIN_MS }).catch(() => undefined);
      mayRestart(status?.trial, app);
      return restartByPm2(pm2Home, app, clock);
    },

    setLogLevel: (app, level, forMs) => levels.set(app, level, forMs),

    collect: async (order, signal) => ({
      status: await orWhy(() => hub.request('status', {}, { signal })),
      configuration: readConfiguration(configFolder),
      logs: readLogs(logFolder, diagnosticsBytes),
      journal: await orWhy(() => journal(config, programs, order, signal)),
    }),

    upload: (make, { orderId }, signal) => bundles.run(orderId, make, signal),
  };
}

const keptReturns = (file: string): LogLevelPorts['kept'] => ({
  read: () => {
    const all = readJsonIfPresent(file);
    return Array.isArray(all) ? (all as KeptReturn[]) : [];
  },
  write: (all) => writeFileDurably(file, JSON.stringify(all)),
});

/** A program of the configuration: with this process's own rights, and without limits. */
function named(command: string, [file = '', ...args]: readonly string[], order: RunningOrder): Program {
  const user = process.getuid?.() === 0 ? 'root' : undefined;
  return { order, command, file, args, cwd: '/', input: '', user, limits: {}, onOutput: () => {} };
}

async function journal(
  { programs: { journal }, diagnosticsBytes }: MachinePorts['config'],
  programs: Pick<Programs, 'run'>,
  order: RunningOrder,
  signal: AbortSignal,
): Promise<string> {
  let text = '';
  const onOutput = (more: string) => void (text = (text + more).slice(-diagnosticsBytes));
  await programs.run({ ...named('collectDiagnostics', journal, order), onOutput }, signal);
  return redactText(text);
}

/** What cannot be had is told instead, and the rest goes on. */
async function orWhy(get: () => Promise<unknown>): Promise<unknown> {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof BowlineError) || error.code === 'cancelled' || error.code === 'stopping')
      throw error;
    return { unavailable: error.message };
  }
}

async function restartByPm2(home: string, app: string, clock: Clock): ReturnType<Machine['restartApp']> {
  // Only this command needs pm2: on a machine without it everything else works.
  const { callerEnvironment, Pm2 } = await import('@bowline/pm2');
  const pm2 = new Pm2({ home, env: callerEnvironment(process.env, {}) });
  const startedMs = clock.monotonicMs();
  const find = async () => (await pm2.list()).find(({ name }) => name === app);
  const before = await find();
  if (before === undefined) {
    const names = (await pm2.list()).map(({ name }) => name);
    const meant = suggest(app, names);
    const hint = meant === undefined ? `known: ${names.join(', ')}` : `did you mean ${meant}?`;
    throw new RejectedError('unknown-app', `pm2 has no app ${app}; ${hint}`);
  }
  await pm2.restart(app);
  const after = await find();
  if (after?.status !== 'online')
    throw new RejectedError(
      'command-failed',
      `${app} was restarted and is ${after?.status ?? 'gone'} now: see its log`,
    );
  return {
    app,
    pid: after.pid,
    previousPid: before.pid,
    tookMs: Math.round(clock.monotonicMs() - startedMs),
  };
}

/** The beginning of an output, and whether there was more. */
class Kept {
  text = '';
  cut = false;
  readonly #maxChars: number;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  add(more: string): void {
    const room = this.#maxChars - this.text.length;
    this.cut ||= more.length > room;
    if (room > 0) this.text += more.slice(0, room);
  }
}
