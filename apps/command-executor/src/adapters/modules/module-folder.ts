import { join } from 'node:path';
import { ownedFileFault } from '@bowline/identity';
import type { Clock, Logger } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';
import type { Command } from '../../core/command.ts';
import type { Commands } from '../../core/join-commands.ts';
import { description as isDescription } from '../../generated/manifest.js';
import type { Description } from '../../manifest.ts';
import { namesIn, reason, versionOf } from '../command-folder.ts';
import { manifestFault } from '../plug-ins/manifest-fault.ts';
import { moduleCommand } from './module-command.ts';
import { ModuleThread } from './module-thread-host.ts';

/** Declarations and tests may lie beside a module. */
const MODULE = /^[^.].*(?<!\.d)(?<!\.test)\.(ts|mts|mjs)$/;

interface Loaded {
  /** Changes when the file does. */
  signature: string;
  thread?: ModuleThread;
  command?: Command;
  why?: string;
  /** Another version has taken its place, or it is removed. */
  isOver?: boolean;
}

export interface ModuleFolderOptions {
  config: Pick<
    ExecutorConfig,
    | 'modulesFolder'
    | 'maxModules'
    | 'moduleMemoryBytes'
    | 'moduleLoadMs'
    | 'killGraceMs'
    | 'outputLogChars'
    | 'outputLineChars'
  >;
  /** Of the bundle or source of module-thread.ts. */
  thread: URL;
  clock: Clock;
  log: Logger;
  /** One has been loaded, or cannot be: look again. */
  loaded(): void;
}

interface Loading {
  signature: string;
  done: Promise<void>;
}

/**
 * The folder of command modules: one file each, in a thread of its own. Looked at anew whenever it is asked for; only what has
 * changed is loaded again, beside everything else: one that takes its time keeps nobody waiting but its own orders. What cannot
 * be used stands in `broken` and does not touch the others.
 */
export class ModuleFolder {
  readonly #options: ModuleFolderOptions;
  readonly #loaded = new Map<string, Loaded>();
  readonly #loading = new Map<string, Loading>();

  constructor(options: ModuleFolderOptions) {
    this.#options = options;
  }

  /** As it stands now; what is new or has changed is begun to be loaded. */
  read(): Commands {
    const { modulesFolder: folder, maxModules } = this.#options.config;
    const broken = new Map<string, string>();
    let names: string[] = [];
    try {
      names = namesIn(folder, (entry) => !entry.isDirectory() && MODULE.test(entry.name));
      for (const name of names.splice(maxModules))
        broken.set(name, `there are more than ${maxModules} modules`);
    } catch (error) {
      broken.set(folder, reason(error));
    }
    for (const name of names) this.#look(name);
    for (const name of [...this.#loaded.keys(), ...this.#loading.keys()])
      if (!names.includes(name)) this.#forget(name);
    const all = [...this.#loaded].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, { why }] of all) if (why !== undefined) broken.set(name, why);
    return {
      commands: all.flatMap(([, { command }]) => command ?? []),
      broken: [...broken].map(([name, why]) => ({ name, why })),
    };
  }

  /** Whether what is being loaded may be, or replace, the command of this name. */
  isLoading(name: string): boolean {
    const isSettled = ([file, { command }]: [string, Loaded]) =>
      command?.name === name && !this.#loading.has(file);
    return this.#loading.size > 0 && ![...this.#loaded].some(isSettled);
  }

  /** Until nothing is being loaded that may be the command of this name; absent: nothing at all. */
  async settled(name?: string): Promise<void> {
    while (name === undefined ? this.#loading.size > 0 : this.isLoading(name))
      await Promise.race([...this.#loading.values()].map(({ done }) => done));
  }

  close(): void {
    for (const name of [...this.#loaded.keys(), ...this.#loading.keys()]) this.#forget(name);
  }

  #forget(name: string): void {
    this.#loading.delete(name);
    this.#replace(name, undefined);
  }

  /** The one before takes no more orders, and ends with those that it has. */
  #replace(name: string, loaded: Loaded | undefined): void {
    const before = this.#loaded.get(name);
    if (before !== undefined) {
      before.isOver = true;
      before.thread?.retire();
    }
    if (loaded === undefined) this.#loaded.delete(name);
    else this.#loaded.set(name, loaded);
  }

  #look(name: string): void {
    const file = join(this.#options.config.modulesFolder, name);
    const signature = JSON.stringify(versionOf(file));
    if ((this.#loading.get(name) ?? this.#loaded.get(name))?.signature === signature) return;
    const loading: Loading = { signature, done: Promise.resolve() };
    this.#loading.set(name, loading);
    loading.done = this.#load(name, file, signature)
      .catch((error: unknown): Loaded => ({ signature, why: reason(error) }))
      .then((loaded) => {
        // Meanwhile changed again, or removed.
        if (this.#loading.get(name) !== loading) return void loaded.thread?.retire();
        this.#loading.delete(name);
        this.#replace(name, loaded);
        this.#options.loaded();
      });
  }

  async #load(name: string, file: string, signature: string): Promise<Loaded> {
    const fault = ownedFileFault(file);
    if (fault !== undefined) throw new Error(fault);
    const loaded: Loaded = { signature, thread: this.#start(file) };
    try {
      const said = await loaded.thread?.description;
      const wrong = manifestFault(isDescription, said, name);
      if (wrong !== undefined) throw new Error(wrong);
      // ajv costs about 13 MB: only a device with commands of its own pays for it.
      const { compileSchema } = await import('@bowline/runtime/compile-schema');
      loaded.command = moduleCommand(said as Description, () => this.#threadOf(loaded, file), compileSchema);
      return loaded;
    } catch (error) {
      loaded.thread?.retire();
      throw error;
    }
  }

  /** One that has ended is replaced: what went wrong in one order is no reason to refuse the next. */
  async #threadOf(loaded: Loaded, file: string): Promise<ModuleThread> {
    if (loaded.isOver === true)
      throw new RejectedError(
        'command-failed',
        'its module was changed or removed just now; nothing was done',
      );
    if (loaded.thread === undefined || loaded.thread.ended) loaded.thread = this.#start(file);
    try {
      await loaded.thread.description;
    } catch (error) {
      throw new RejectedError('command-failed', `its module cannot be loaded: ${reason(error)}`, {
        cause: error,
      });
    }
    return loaded.thread;
  }

  #start(file: string): ModuleThread {
    const { config, thread, clock, log } = this.#options;
    const { moduleLoadMs: loadMs, killGraceMs, moduleMemoryBytes: memoryBytes } = config;
    const { outputLogChars: logChars, outputLineChars: progressChars } = config;
    const limits = { loadMs, killGraceMs, memoryBytes, logChars, progressChars };
    return new ModuleThread({ thread, file, limits, clock, log: log.child({ module: file }) });
  }
}
