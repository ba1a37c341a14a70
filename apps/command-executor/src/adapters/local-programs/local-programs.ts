import type { Socket } from 'node:net';
import type { Clock, Logger, Timer } from '@bowline/runtime';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';
import type { Command, JsonSchema, ParamsCheck } from '../../core/command.ts';
import { programCommand, type ProgramLink } from '../../core/local-programs/program-command.ts';
import { Registrations } from '../../core/local-programs/registrations.ts';
import type { CommandPolicy } from '../../core/policy.ts';
import { description as isDescription } from '../../generated/manifest.js';
import type { Description } from '../../manifest.ts';
import { manifestFault } from '../plug-ins/manifest-fault.ts';
import type { KnownCommands } from './known-commands.ts';
import { ProgramConnection } from './program-connection.ts';

export interface LocalProgramsOptions {
  limits: ExecutorConfig['commandSocket'] & Pick<ExecutorConfig, 'maxRuns'>;
  known: KnownCommands;
  clock: Clock;
  log: Logger;
}

export interface LocalProgramsPorts {
  readPolicy(): Promise<CommandPolicy>;
  /** All commands of this device as they stand now. */
  all(): readonly Command[];
  /** To be called when a program has come or gone. */
  changed(): Promise<void>;
}

interface Waiter {
  name: string;
  tell(program: ProgramLink | undefined): void;
}

/** Programs that run on this device and carry out commands, over the command socket. */
export class LocalPrograms {
  readonly #options: LocalProgramsOptions;
  readonly #registrations: Registrations<ProgramConnection>;
  readonly #connections = new Set<ProgramConnection>();
  readonly #waiters = new Set<Waiter>();
  #ports: LocalProgramsPorts | undefined;
  #expiry: Timer | undefined;
  #stopped = false;

  constructor(options: LocalProgramsOptions) {
    this.#options = options;
    this.#registrations = new Registrations(options.limits);
  }

  commands(): Command[] {
    return this.#registrations.all().map(({ command }) => command);
  }

  /** Remembers the commands of an earlier life. Call it before orders are taken. */
  async remember(): Promise<void> {
    const { known, clock, log } = this.#options;
    for (const description of known.read()) {
      try {
        this.#registrations.remember(description, await this.#make(description), clock.monotonicMs());
      } catch (error) {
        log.warn({ command: description.name, error }, 'a command of a program is not remembered');
      }
    }
    this.#expireLater();
  }

  start(ports: LocalProgramsPorts): void {
    this.#ports = ports;
  }

  take(socket: Socket): void {
    const { limits, clock, log } = this.#options;
    if (this.#stopped || this.#connections.size >= limits.maxPrograms) {
      const message = `${this.#connections.size} programs are connected already`;
      socket.on('error', () => undefined);
      socket.end(`${JSON.stringify({ type: 'error', code: 'too-many-programs', message })}\n`);
      clock.after(1000, () => socket.destroy());
      return;
    }
    this.#connections.add(
      new ProgramConnection({
        socket,
        limits,
        clock,
        log,
        register: (command, connection) => this.#register(command, connection),
        unregister: (name, connection) => this.#unregister(name, connection),
        commands: (connection) => this.#registrations.of(connection).length,
        gone: (connection) => this.#gone(connection),
      }),
    );
  }

  close(): void {
    this.#stopped = true;
    this.#expiry?.cancel();
    for (const connection of this.#connections) connection.end();
  }

  async #register(value: Record<string, unknown>, connection: ProgramConnection): Promise<string> {
    const ports = this.#ports;
    if (ports === undefined) throw new RejectedError('stopping', 'the executor is not ready yet');
    const description = checked(value, this.#options.limits.registrationChars);
    const { name } = description;
    const other = ports.all().find((command) => command.name === name && command.origin !== 'program');
    if (other !== undefined)
      throw new RejectedError('name-taken', `there is a command ${name} already (${other.origin})`);
    const policy = await ports.readPolicy();
    if (!policy.isAllowed(name))
      throw new RejectedError(
        'not-allowed',
        `${policy.source} does not allow ${name}: put it under "commands" there`,
      );
    this.#registrations.check(name, connection);
    const command = await this.#make(description);
    this.#registrations.check(name, connection);
    // A command that goes away at once must not come back as one that is waited for.
    if (!this.#connections.has(connection)) return name;
    const others = this.#registrations.all().filter((each) => each.description.name !== name);
    const before = this.#registrations.all().find((each) => each.description.name === name);
    if (JSON.stringify(before?.description) !== JSON.stringify(description))
      this.#options.known.write([...others.map((each) => each.description), description]);
    this.#registrations.register(description, command, connection);
    await ports.changed();
    for (const waiter of this.#waiters) if (waiter.name === name) waiter.tell(connection);
    return name;
  }

  #unregister(name: string, connection: ProgramConnection): void {
    if (!this.#registrations.unregister(name, connection))
      throw new RejectedError('unknown-command', `this program has no command ${name}`);
    this.#forgotten();
  }

  #gone(connection: ProgramConnection): void {
    this.#connections.delete(connection);
    const lost = this.#registrations.gone(connection, this.#options.clock.monotonicMs());
    if (lost === 0) return;
    this.#options.log.info({ commands: lost }, 'a program that carries out commands went away');
    this.#expireLater();
    void this.#ports?.changed();
  }

  #expireLater(): void {
    if (this.#stopped) return;
    this.#expiry?.cancel();
    const { clock, limits } = this.#options;
    this.#expiry = clock.after(limits.returnMs, () => {
      const names = this.#registrations.expire(clock.monotonicMs());
      if (this.#registrations.all().some(({ connection }) => connection === undefined)) this.#expireLater();
      if (names.length > 0) this.#forgotten();
      for (const waiter of this.#waiters) if (names.includes(waiter.name)) waiter.tell(undefined);
    });
  }

  #forgotten(): void {
    try {
      this.#options.known.write(this.#registrations.all().map(({ description }) => description));
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      this.#options.log.warn({ code: error.code }, error.message); // the next life waits for it in vain, once
    }
    void this.#ports?.changed();
  }

  async #make(description: Description): Promise<Command> {
    const { name } = description;
    const compile = await compiler();
    try {
      return programCommand({
        description,
        compile,
        isAway: () => this.#registrations.connectionOf(name) === undefined,
        present: (signal) => this.#present(name, signal),
        maxRuns: this.#options.limits.maxRuns,
      });
    } catch (error) {
      throw new RejectedError('invalid', `a schema of ${name} is none: ${String(error)}`, { cause: error });
    }
  }

  #present(name: string, signal: AbortSignal): Promise<ProgramLink | undefined> {
    const here = this.#registrations.connectionOf(name);
    if (here !== undefined || !this.#registrations.has(name)) return Promise.resolve(here);
    return new Promise((resolve, reject) => {
      const over = () => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', stop);
      };
      const stop = () => (over(), reject(signal.reason as Error));
      const waiter: Waiter = { name, tell: (program) => (over(), resolve(program)) };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
  }
}

/** ajv costs about 13 MB: only a device whose programs have commands pays for it. */
async function compiler(): Promise<(schema: JsonSchema) => ParamsCheck> {
  return (await import('@bowline/runtime/compile-schema')).compileSchema;
}

function checked(value: Record<string, unknown>, mostChars: number): Description {
  const chars = JSON.stringify(value).length;
  if (chars > mostChars)
    throw new RejectedError(
      'registration-too-large',
      `what it says of its command has ${chars} characters, and may have ${mostChars}: shorten its schemas, or raise commandSocket.registrationChars`,
    );
  const fault = manifestFault(isDescription, value, 'command');
  if (fault !== undefined) throw new RejectedError('invalid', fault);
  return value as Description;
}
