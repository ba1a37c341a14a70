import { RejectedError } from '@bowline/runtime/errors';
import type { Command } from '../command.ts';
import type { Description } from '../../manifest.ts';

/** A command that a program of the device carries out. @typeParam C the program's connection. */
export interface Registration<C> {
  description: Description;
  command: Command;
  /** Undefined while the program is gone. */
  connection: C | undefined;
  /** Since when, by the monotonic clock. */
  goneMs: number;
}

export interface RegistrationLimits {
  /** Most commands of all programs together. */
  maxCommands: number;
  /** How long a command is kept whose program is gone. */
  returnMs: number;
}

/**
 * Which program carries out which command. One that goes away may come back: until `returnMs` later its commands are still there,
 * as away, and what was ordered waits.
 */
export class Registrations<C> {
  readonly #all = new Map<string, Registration<C>>();
  readonly #limits: RegistrationLimits;

  constructor(limits: RegistrationLimits) {
    this.#limits = limits;
  }

  /** As it was before this process began: its program may come back. */
  remember(description: Description, command: Command, nowMs: number): void {
    this.#all.set(description.name, { description, command, connection: undefined, goneMs: nowMs });
  }

  /** @throws RejectedError `name-taken`, `too-many-commands`. */
  check(name: string, connection: C): void {
    const before = this.#all.get(name);
    if (before?.connection !== undefined && before.connection !== connection)
      throw new RejectedError('name-taken', `another program that is connected has registered ${name}`);
    const { maxCommands } = this.#limits;
    if (before === undefined && this.#all.size >= maxCommands)
      throw new RejectedError(
        'too-many-commands',
        `programs have registered ${maxCommands} commands already`,
      );
  }

  register(description: Description, command: Command, connection: C): void {
    this.#all.set(description.name, { description, command, connection, goneMs: 0 });
  }

  /** @returns whether it was this connection's. */
  unregister(name: string, connection: C): boolean {
    return this.#all.get(name)?.connection === connection && this.#all.delete(name);
  }

  /** @returns how many commands have lost their program. */
  gone(connection: C, nowMs: number): number {
    const lost = this.of(connection);
    for (const each of lost) {
      each.connection = undefined;
      each.goneMs = nowMs;
    }
    return lost.length;
  }

  /** Forgets what has been away for too long. @returns their names. */
  expire(nowMs: number): string[] {
    const names = this.all()
      .filter(({ connection, goneMs }) => connection === undefined && nowMs - goneMs >= this.#limits.returnMs)
      .map(({ description }) => description.name);
    for (const name of names) this.#all.delete(name);
    return names;
  }

  connectionOf(name: string): C | undefined {
    return this.#all.get(name)?.connection;
  }

  has(name: string): boolean {
    return this.#all.has(name);
  }

  of(connection: C): Registration<C>[] {
    return this.all().filter((each) => each.connection === connection);
  }

  all(): Registration<C>[] {
    return [...this.#all.values()];
  }
}
