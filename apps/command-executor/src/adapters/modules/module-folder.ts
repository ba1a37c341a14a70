import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ownedFileFault } from '@bowline/identity';
import type { Clock, Logger } from '@bowline/runtime';
import { hasCode, RejectedError } from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';
import type { Command } from '../../core/command.ts';
import type { Commands } from '../../core/join-commands.ts';
import { description as isDescription } from '../../generated/manifest.js';
import type { Description } from '../../manifest.ts';
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
}

/**
 * The folder of command modules: one file each, in a thread of its own. Looked at anew whenever it is asked for; only what has
 * changed is loaded again. What cannot be used stands in `broken` and does not touch the others.
 */
export class ModuleFolder {
  readonly #options: ModuleFolderOptions;
  #loaded = new Map<string, Loaded>();

  constructor(options: ModuleFolderOptions) {
    this.#options = options;
  }

  async read(): Promise<Commands> {
    const { modulesFolder: folder, maxModules } = this.#options.config;
    const loaded = new Map<string, Loaded>();
    try {
      const names = modulesIn(folder);
      await Promise.all(
        names.slice(0, maxModules).map(async (name) => loaded.set(name, await this.#look(name))),
      );
      for (const name of names.slice(maxModules))
        loaded.set(name, { signature: '', why: `there are more than ${maxModules} modules` });
    } catch (error) {
      loaded.set(folder, { signature: '', why: reason(error) });
    }
    for (const [name, before] of this.#loaded) {
      if (loaded.get(name) === before) continue;
      before.isOver = true;
      before.thread?.retire();
    }
    this.#loaded = loaded;
    const all = [...loaded].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return {
      commands: all.flatMap(([, { command }]) => command ?? []),
      broken: all.flatMap(([name, { why }]) => (why === undefined ? [] : [{ name, why }])),
    };
  }

  close(): void {
    for (const { thread } of this.#loaded.values()) thread?.retire();
  }

  async #look(name: string): Promise<Loaded> {
    const file = join(this.#options.config.modulesFolder, name);
    const before = this.#loaded.get(name);
    let signature = '';
    try {
      signature = signatureOf(file);
      if (before !== undefined && before.signature === signature) return before;
      return await this.#load(name, file, signature);
    } catch (error) {
      return { signature, why: reason(error) };
    }
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

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function modulesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && MODULE.test(entry.name))
      .map(({ name }) => name)
      .toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function signatureOf(file: string): string {
  const { ino, size, ctimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return JSON.stringify([ino, size, ctimeMs]);
}
