import type { Socket } from 'node:net';
import { describeErrors } from '@bowline/messages/check';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import {
  BowlineError,
  CancelledError,
  ContractError,
  RejectedError,
  TransientError,
} from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';
import type { Progress } from '../../core/command.ts';
import type { ProgramLink, RunEnd, RunRequest } from '../../core/local-programs/program-command.ts';
import { OutputLines, type OutputLine } from '../../core/output-lines.ts';
import * as shapes from '../../generated/programMessages.js';
import type { ProgramMessage } from '../../program-messages.ts';

export interface ConnectionOptions {
  socket: Socket;
  limits: ExecutorConfig['commandSocket'];
  clock: Clock;
  log: Logger;
  /** Rejects with what refuses it. */
  register(command: Record<string, unknown>, connection: ProgramConnection): Promise<string>;
  unregister(name: string, connection: ProgramConnection): void;
  /** How many commands it has. */
  commands(connection: ProgramConnection): number;
  /** Its commands have lost it. Called once. */
  gone(connection: ProgramConnection): void;
}

interface Run {
  end(end: RunEnd): void;
  progress(progress: Progress): void;
}

const SECOND_MS = 1000;
/** Of what is said back to whoever gives no valid one. */
const LONGEST_NAME = 117;

/** One program of the device, as long as it is connected. */
export class ProgramConnection implements ProgramLink {
  readonly #options: ConnectionOptions;
  readonly #runs = new Map<string, Run>();
  /** One message after the other. */
  #tail: Promise<void> = Promise.resolve();
  #messages = 0;
  #second: Timer | undefined;
  #unregistered: Timer | undefined;
  #ended = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { socket, limits } = options;
    const lines = new OutputLines((line) => this.#take(line), limits.lineChars);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => lines.push(text));
    socket.on('error', () => undefined);
    socket.once('close', () => this.#close());
    this.#expectCommand();
  }

  run(request: RunRequest, signal: AbortSignal, progress: (progress: Progress) => void): Promise<RunEnd> {
    const { clock, limits } = this.#options;
    const { orderId, name, params, attempt, deadlineMs } = request;
    return new Promise((resolve, reject) => {
      if (this.#ended) return resolve({ kind: 'gone' });
      let silence: Timer | undefined;
      const over = () => {
        silence?.cancel();
        signal.removeEventListener('abort', stop);
        this.#runs.delete(orderId);
      };
      const stop = () => {
        const { reason } = signal as { reason: unknown };
        const why = reason instanceof BowlineError ? reason.code : 'cancelled';
        this.#send({ type: 'cancel', orderId, reason: why });
        if (reason instanceof CancelledError && why === 'stopping') {
          over();
          return reject(reason);
        }
        silence = clock.after(limits.stopWithinMs, () => {
          over();
          resolve({ kind: 'silent' });
          this.#end(
            new RejectedError(
              'silent',
              `it did not answer within ${limits.stopWithinMs} ms that it has stopped`,
            ),
          );
        });
      };
      this.#runs.set(orderId, { progress, end: (end) => (over(), resolve(end)) });
      const timeoutMs = Math.max(0, Math.round(deadlineMs - clock.monotonicMs()));
      const deadline = Math.round(clock.wallMs() + timeoutMs);
      this.#send({ type: 'run', orderId, name, params, attempt, timeoutMs, deadline });
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  /** Tells it why, if it listens, and lets go of it. */
  end(): void {
    this.#end(new TransientError('stopping', 'the executor is stopping: come back in a moment'));
  }

  #end({ code, message }: BowlineError): void {
    if (this.#ended) return;
    this.#send({ type: 'error', code, message });
    this.#options.socket.end();
    this.#close();
    // Whoever does not read what is left for him does not keep it open.
    this.#options.clock.after(SECOND_MS, () => this.#options.socket.destroy());
  }

  #close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#second?.cancel();
    this.#unregistered?.cancel();
    for (const run of this.#runs.values()) run.end({ kind: 'gone' });
    this.#options.gone(this);
  }

  #take({ text, length }: OutputLine): void {
    if (this.#ended || length === 0) return;
    const { lineChars } = this.#options.limits;
    if (length > lineChars) {
      this.#end(new ContractError('too-large', `a line has more than ${lineChars} characters`));
      return;
    }
    this.#pace();
    this.#tail = this.#tail.then(() => this.#answer(text));
  }

  /** What talks faster than it may is read no further in this second: its own socket fills. */
  #pace(): void {
    const { socket, clock, limits } = this.#options;
    this.#second ??= clock.after(SECOND_MS, () => {
      this.#second = undefined;
      this.#messages = 0;
      if (!this.#ended) socket.resume();
    });
    this.#messages += 1;
    if (this.#messages >= limits.messagesPerSecond) socket.pause();
  }

  async #answer(text: string): Promise<void> {
    let about: string | undefined;
    try {
      const message = decode(text);
      if (message.type === 'register') about = String(message.command['name'] ?? '').slice(0, LONGEST_NAME);
      await this.#act(message);
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      const { code, message } = error;
      this.#options.log.warn({ code, command: about }, `a program of this device is refused: ${message}`);
      this.#send(
        about === undefined
          ? { type: 'error', code, message }
          : { type: 'refused', name: about, code, message, retryable: error.retryable },
      );
    }
  }

  async #act(message: ProgramMessage): Promise<void> {
    if (this.#ended) return;
    switch (message.type) {
      case 'register': {
        const name = await this.#options.register(message.command, this);
        this.#unregistered?.cancel();
        return this.#send({ type: 'registered', name });
      }
      case 'unregister':
        this.#options.unregister(message.name, this);
        this.#send({ type: 'unregistered', name: message.name });
        return this.#expectCommand();
      case 'progress': {
        const { percent, note, data } = message;
        return this.#runOf(message.orderId).progress({
          ...(percent === undefined ? {} : { percent }),
          ...(note === undefined ? {} : { note }),
          ...(data === undefined ? {} : { data }),
        });
      }
      case 'result':
        return this.#runOf(message.orderId).end({ kind: 'result', result: message.result });
      case 'failure':
        return this.#runOf(message.orderId).end({ kind: 'failure', message: message.message });
    }
  }

  #runOf(orderId: string): Run {
    const run = this.#runs.get(orderId);
    if (run === undefined)
      throw new RejectedError('unknown-order', `order ${orderId} is not under way here: it has ended`);
    return run;
  }

  #expectCommand(): void {
    const { clock, limits, commands } = this.#options;
    if (commands(this) > 0) return;
    this.#unregistered?.cancel();
    this.#unregistered = clock.after(limits.registerWithinMs, () => {
      if (commands(this) === 0)
        this.#end(
          new RejectedError(
            'nothing-registered',
            `it registered no command within ${limits.registerWithinMs} ms`,
          ),
        );
    });
  }

  #send(message: object): void {
    const { socket, limits, log } = this.#options;
    if (this.#ended || socket.destroyed) return;
    socket.write(`${JSON.stringify(message)}\n`);
    if (socket.writableLength <= limits.unreadBytes) return;
    log.warn({ unreadBytes: socket.writableLength }, 'a program of this device does not read: let go of it');
    socket.destroy();
  }
}

function decode(text: string): ProgramMessage {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ContractError('broken-json', 'a message is one JSON object on one line', { cause: error });
  }
  const type = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['type'] : '';
  if (typeof type !== 'string' || !Object.hasOwn(TYPES, type))
    throw new ContractError('unsupported', `type must be one of ${Object.keys(TYPES).join(', ')}`);
  const isValid = TYPES[type as ProgramMessage['type']];
  if (!isValid(value)) throw new ContractError('invalid', describeErrors(isValid.errors, type));
  return value as ProgramMessage;
}

const TYPES = {
  register: shapes.register,
  unregister: shapes.unregister,
  progress: shapes.progress,
  result: shapes.result,
  failure: shapes.failure,
};
