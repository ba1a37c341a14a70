import { reportEvent, type EventPorts } from '@bowline/identity';
import type { HubClient } from '@bowline/ipc';
import { BowlineError } from '@bowline/runtime/errors';
import type { BrokenCommand, Command } from '../core/command.ts';
import type { CommandSource } from '../core/command-executor.ts';
import { joinCommands, newsOf } from '../core/join-commands.ts';
import type { PlugIns } from './plug-ins/plug-in-folder.ts';

export interface RegistryOptions {
  builtIn: readonly Command[];
  readPlugIns(): Promise<PlugIns>;
  ports: EventPorts & { hub: Pick<HubClient, 'request'> };
  /** How often it is looked what has changed when nothing is asked of it. */
  lookEveryMs: number;
}

/** All commands of this device as they stand now, from wherever they come; what is broken is told once. */
export class CommandRegistry implements CommandSource {
  readonly #options: RegistryOptions;
  #commands: readonly Command[];
  #broken: readonly BrokenCommand[] = [];
  #tail: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#commands = options.builtIn;
  }

  all(): readonly Command[] {
    return this.#commands;
  }

  broken(): readonly BrokenCommand[] {
    return this.#broken;
  }

  idempotent(): string[] {
    return this.#commands.filter(({ idempotent }) => idempotent).map(({ name }) => name);
  }

  /** One look after the other. */
  refresh(): Promise<void> {
    this.#tail = this.#tail.then(() => this.#look());
    return this.#tail;
  }

  /** Looks now, and again and again, until `stop`. */
  async start(): Promise<void> {
    await this.refresh();
    if (!this.#stopped) this.#options.ports.clock.after(this.#options.lookEveryMs, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
  }

  async #look(): Promise<void> {
    const { builtIn, readPlugIns, ports } = this.#options;
    const plugIns = await readPlugIns();
    const { commands, broken } = joinCommands(builtIn, plugIns);
    const before = { commands: this.#commands, broken: this.#broken };
    const idempotentBefore = this.idempotent();
    this.#commands = commands;
    this.#broken = broken;
    const { added, changed, removed, newlyBroken } = newsOf(before, { commands, broken });
    if (added.length + changed.length + removed.length > 0)
      ports.log.info({ added, changed, removed }, 'the commands of this device have changed');
    for (const { name, why } of newlyBroken)
      reportEvent(ports, 'plug-in-broken', 'error', { plugIn: name, why });
    const idempotent = this.idempotent();
    if (idempotent.join('\n') !== idempotentBefore.join('\n')) await this.#tell(idempotent);
  }

  /** What the gateway does not hear now it hears when we register. */
  async #tell(commands: string[]): Promise<void> {
    try {
      await this.#options.ports.hub.request('idempotent', { commands });
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
    }
  }
}
