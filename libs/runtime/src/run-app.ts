import { statSync } from 'node:fs';
import { systemClock, type Clock } from './clock.ts';
import type { ConfigValidator } from './config.ts';
import { configFile, overrideFile } from './config-layers.ts';
import { CancelledError, ConfigError } from './errors.ts';
import { LiveConfig } from './live-config.ts';
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts';

export interface AppContext<Config> {
  /** As it was at the start. */
  config: Readonly<Config>;
  /** As it is now, and what the cloud may change of it. */
  live: LiveConfig<Config>;
  log: Logger;
  clock: Clock;
  /** Tells pm2 that the app really is ready (`wait_ready`). Call it once the app's own work is set up. */
  ready(): void;
  /** Aborted when the process is asked to stop. */
  signal: AbortSignal;
  /** Ends this process in good order, to be started anew by whoever keeps it running. */
  restart(reason: string): void;
}

export interface RunningApp {
  /** Orderly end: finish or hand over what is under way. Bounded by `stopTimeoutMs`. */
  stop(): Promise<void>;
}

export interface AppDefinition<Config> {
  app: string;
  version: string;
  /** Compiled from the app's schema; fills in defaults. */
  validateConfig: ConfigValidator;
  start(context: AppContext<Config>): Promise<RunningApp>;
  /** An orderly end that takes longer is cut off; default 8,000 ms, below pm2's `kill_timeout`. */
  stopTimeoutMs?: number;
}

/** How often a misconfigured app looks at its configuration file again. */
const CONFIG_POLL_MS = 1000;

/**
 * The life of every app: configuration, start, ready, orderly stop on SIGINT, SIGTERM or the end of pm2's daemon (which
 * would otherwise start a second copy beside this one). Exit codes: 0 stopped, 1 a bug or a lost resource (pm2 starts it
 * anew). A configuration that cannot be used never ends the process: it stays up as `misconfigured`, says why, and
 * tries again when the file changes (house style: never a restart loop, never dark).
 */
export async function runApp<Config>(definition: AppDefinition<Config>): Promise<void> {
  const { app, version, stopTimeoutMs = 8000 } = definition;
  const sources = { app, args: process.argv.slice(2), env: process.env };
  const stopping = new AbortController();
  let log = createLogger({ app });
  let running: RunningApp | undefined;

  const exit = (code: number): never => process.exit(code);
  const fail = (error: unknown) => {
    log.error({ error }, 'unexpected error: exiting to be started anew');
    exit(1);
  };
  const stop = (reason: string) => {
    if (stopping.signal.aborted) return;
    stopping.abort(new CancelledError('stopping', reason));
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error({ stopTimeoutMs }, 'the orderly stop took too long: exiting');
      exit(1);
    }, stopTimeoutMs).unref();
    Promise.resolve(running?.stop()).then(() => exit(0), fail);
  };

  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  process.once('SIGINT', () => stop('SIGINT'));
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('disconnect', () => stop('the process manager is gone'));

  const ready = () => process.send?.('ready');
  const file = configFile(sources);
  const files = file === undefined ? [] : [file, overrideFile(file)];
  // Before they are read: whoever writes one meanwhile is heard, too.
  const asRead = stateOf(files);
  const startOnce = async () => {
    const live = new LiveConfig<Config>(definition.validateConfig, sources);
    log = createLogger({ app, level: () => logLevel(live.current) });
    log.info({ version, pid: process.pid, node: process.version }, 'starting');
    if (live.problem !== undefined) {
      log.error(
        { reason: live.problem },
        "the cloud's configuration is not in force: it does not fit any more",
      );
    }
    running = await definition.start({
      config: live.current,
      live,
      log,
      clock: systemClock,
      ready,
      signal: stopping.signal,
      restart: stop,
    });
  };

  try {
    await startOnce();
  } catch (error) {
    if (stopping.signal.aborted) return;
    if (!(error instanceof ConfigError)) return fail(error);
    ready();
    staysMisconfigured(log, error, { files, asRead }, () => exit(1));
  }
}

/** Holds the process, says what to do, and calls `retry` when a file is not any more what it was as it was read. */
function staysMisconfigured(
  log: Logger,
  error: ConfigError,
  { files, asRead }: { files: readonly string[]; asRead: readonly string[] },
  retry: () => void,
): void {
  const [file] = files;
  log.error({ code: error.code, file, details: error.details, state: 'misconfigured' }, error.message);
  if (file === undefined) {
    setInterval(() => log.error({ code: error.code, state: 'misconfigured' }, error.message), 60_000);
    return;
  }
  setInterval(() => {
    const now = stateOf(files);
    const changed = files.filter((_, index) => now[index] !== asRead[index]);
    if (changed.length === 0) return;
    log.info({ files: changed }, 'configuration file changed: starting anew');
    retry();
  }, CONFIG_POLL_MS);
}

/** Of each file, what is another once it was written; empty while it is not there or may not be looked at. */
function stateOf(files: readonly string[]): string[] {
  return files.map((file) => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(file);
      return [mtimeMs, ctimeMs, size, ino].join(' ');
    } catch {
      return '';
    }
  });
}

function logLevel(config: unknown): LogLevel {
  const level =
    typeof config === 'object' && config !== null && 'logLevel' in config ? config.logLevel : undefined;
  return LOG_LEVELS.find((known) => known === level) ?? 'info';
}
