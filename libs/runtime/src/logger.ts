import { pino, type Logger as PinoLogger } from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One JSON object a line on standard output, with `app` and whatever fields the caller gives. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'> & {
  child(fields: Record<string, unknown>): Logger;
};

/** Members that never reach a log, wherever a caller put them (one and two levels deep). */
const SECRETS = [
  'token',
  'authorization',
  'privateKey',
  'password',
  'secret',
  'nextToken',
  'd',
  'signed',
  'grant',
];

export interface LoggerOptions {
  app: string;
  level?: LogLevel;
  /** Where the lines go; default standard output. */
  write?: (line: string) => void;
}

export function createLogger({ app, level = 'info', write }: LoggerOptions): Logger {
  const options = {
    level,
    base: { app },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: 'message',
    errorKey: 'error',
    redact: {
      paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.headers.${name}`]),
      censor: '[redacted]',
    },
  };
  return write === undefined ? pino(options) : pino(options, { write });
}
