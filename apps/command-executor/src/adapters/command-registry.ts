import { reportEvent, type EventPorts } from '@bowline/identity';
import type { HubClient } from '@bowline/ipc';
import { BowlineError } from '@bowline/runtime/errors';
import type { BrokenCommand, Command } from '../core/command.ts';
import type { CommandSource } from '../core/command-executor.ts';
import { joinCommands, newsOf, type Commands } from '../core/join-commands.ts';

export interface RegistryOptions {
  builtIn: readonly Command[];
  /** From where else commands come; of two with one name the first counts. */
  sources: readonly (() => Promise<Commands> | Commands)[];
  /** Commands that are not there at once: those of modules. */
  loading: { isLoading(name: string): boolean; settled(name?: string): Promise<void> };
  /** How often it is looked what has changed when nothing is asked of it. */
  lookEveryMs: number;
}

export interface RegistryPorts extends EventPorts {
  hub: EventPorts['hub'] & Pick<HubClient, 'request'>;
}

/** All commands of this device as they stand now, from wherever they come; what is broken is told once. */
export class CommandRegistry implements CommandSource {
  readonly #options: RegistryOptions;
  #now: Commands;
  #tail: Promise<void> = Promise.resolve();
  #ports: RegistryPorts | undefined;
  /** What the gateway has confirmed that it heard from `#tellGateway`; unknown after it did not. */
  #told: string | undefined;
  #stopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#now = { commands: options.builtIn, broken: [] };
  }

  all(): readonly Command[] {
    return this.#now.commands;
  }

  broken(): readonly BrokenCommand[] {
    return this.#now.broken;
  }

  idempotent(): string[] {
    return this.#now.commands.filter(({ idempotent }) => idempotent).map(({ name }) => name);
  }

  /** One look after the other. @param name a command that is waited for, if it may be one that is just being loaded. */
  async refresh(name?: string): Promise<void> {
    await this.#lookInTurn();
    if (name === undefined || !this.isLoading(name)) return;
    await this.#options.loading.settled(name);
    await this.#lookInTurn();
  }

  /** Whether this command may be there, or another, once what is being loaded is. */
  isLoading(name: string): boolean {
    return this.#options.loading.isLoading(name) && !this.#isOfOthers(name);
  }

  #lookInTurn(): Promise<void> {
    this.#tail = this.#tail.then(() => this.#look());
    return this.#tail;
  }

  /** It is there, and no module's: nobody waits for one that might want the name, too. */
  #isOfOthers(name: string): boolean {
    const known = this.#now.commands.find((command) => command.name === name);
    return known !== undefined && known.origin !== 'module';
  }

  /** From now on what changes is told; looks now, and again and again, until `stop`. */
  async start(ports: RegistryPorts): Promise<void> {
    if (this.#ports === undefined) {
      this.#ports = ports;
      await this.#tellNews(ports, { commands: this.#options.builtIn, broken: [] });
    }
    await this.refresh();
    if (!this.#stopped) ports.clock.after(this.#options.lookEveryMs, () => void this.start(ports));
  }

  stop(): void {
    this.#stopped = true;
  }

  async #look(): Promise<void> {
    const { builtIn, sources } = this.#options;
    const before = this.#now;
    this.#now = joinCommands(builtIn, await Promise.all(sources.map((read) => read())));
    if (this.#ports !== undefined) await this.#tellNews(this.#ports, before);
  }

  async #tellNews(ports: RegistryPorts, before: Commands): Promise<void> {
    const { added, changed, removed, newlyBroken } = newsOf(before, this.#now);
    if (added.length + changed.length + removed.length > 0)
      ports.log.info({ added, changed, removed }, 'the commands of this device have changed');
    for (const { name, why } of newlyBroken)
      reportEvent(ports, 'plug-in-broken', 'error', { plugIn: name, why });
    await this.#tellGateway(ports);
  }

  /**
   * Which commands may run again. What the gateway does not hear now is told at the next look: a registration that is on its way
   * carries what was true when it left.
   */
  async #tellGateway({ hub }: RegistryPorts): Promise<void> {
    const commands = this.idempotent();
    const news = commands.join('\n');
    if (news === this.#told) return;
    this.#told = undefined;
    try {
      await hub.request('idempotent', { commands });
      this.#told = news;
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
    }
  }
}
