import { pino, type LogFn, type Logger as PinoLogger } from 'pino';
import { redact } from './redact.ts';
import { writeToStandardOutput } from './standard-output.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One JSON object a line on standard output, with `app` and whatever fields the caller gives; secrets are redacted. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(fields: Record<string, unknown>): Logger;
  /** Of this logger, the one that it came from and all its children. @returns the level before. */
  changeLevel?(level: LogLevel): LogLevel;
};

type Lines = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(fields: Record<string, unknown>): Lines;
};

export interface LoggerOptions {
  app: string;
  /** The least that is written; a function is asked for every line, of child loggers too. Default `info`. */
  level?: LogLevel | (() => LogLevel);
  /** Where the lines go; default standard output. */
  write?: (line: string) => void;
}

export function createLogger({ app, level = 'info', write = writeToStandardOutput }: LoggerOptions): Logger {
  let least = typeof level === 'function' ? level : () => level;
  const options = {
    level: LOG_LEVELS[0],
    base: { app },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: 'message',
    errorKey: 'error',
    // On the finished line: fields, those of a child logger, message, error and its causes, however deep, in one place.
    hooks: {
      streamWrite: redactLine,
      logMethod(this: PinoLogger, values: Parameters<LogFn>, log: LogFn, level: number) {
        if (level >= (this.levels.values[least()] ?? 0)) log.apply(this, values);
      },
    },
  };
  const logger: Lines = pino(options, { write });
  // pino's children have their parent as prototype, so they have it, too.
  return Object.assign(logger, {
    changeLevel: (next: LogLevel) => {
      const previous = least();
      least = () => next;
      return previous;
    },
  });
}

const redactLine = (line: string): string => `${JSON.stringify(redact(JSON.parse(line)))}\n`;
