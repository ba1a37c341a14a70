import { BowlineError, type ErrorDetails } from '@bowline/runtime/errors';

/** How `bowline` ends; README.md has the table for people. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  noInstallation: 3,
  deviceAway: 4,
  serverUnreachable: 5,
  serverRefused: 6,
  notReady: 7,
  orderFailed: 10,
  orderRejected: 11,
  orderExpired: 12,
  orderCancelled: 13,
  orderIndeterminate: 14,
  orderUnfinished: 15,
  notUnderstood: 20,
  auditBroken: 21,
  calledOff: 130,
} as const;

/** Something that the person at the terminal must know: one sentence, what to do, and how the program ends. */
export class CliError extends BowlineError {
  readonly retryable = false;
  readonly exitCode: number;
  readonly advice: string;

  constructor(
    code: string,
    sentence: string,
    { exitCode, advice, ...rest }: ErrorDetails & { exitCode: number; advice: string },
  ) {
    super(code, sentence, rest);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}
