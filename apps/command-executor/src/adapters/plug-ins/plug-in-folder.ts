import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ownedFileFault, readOwnedFile } from '@bowline/identity';
import { hasCode } from '@bowline/runtime/errors';
import type { ExecutorConfig } from '../../config.ts';
import type { Command } from '../../core/command.ts';
import type { Commands } from '../../core/join-commands.ts';
import { manifest as isManifest } from '../../generated/manifest.js';
import type { Manifest } from '../../manifest.ts';
import type { Programs } from '../programs/run-program.ts';
import { namesIn, reason, versionOf } from '../command-folder.ts';
import { manifestFault } from './manifest-fault.ts';
import { plugInCommand } from './plug-in-command.ts';

export const MANIFEST_FILE = 'command.json';
const MANIFEST_BYTES = 65_536;
const EXECUTABLE = 0o111;
interface Loaded {
  /** Changes when one of its files does. */
  signature: string;
  command?: Command;
  why?: string;
}

export interface PlugInFolderOptions {
  config: Pick<ExecutorConfig, 'commandsFolder' | 'maxPlugIns' | 'outputLineChars'>;
  programs: Pick<Programs, 'run'>;
}

/**
 * The folder of plug-ins: one folder each, with `command.json` and the executable. Looked at anew whenever it is asked for;
 * only what has changed is loaded again. What cannot be used stands in `broken` and does not touch the others.
 */
export class PlugInFolder {
  readonly #options: PlugInFolderOptions;
  #loaded = new Map<string, Loaded>();

  constructor(options: PlugInFolderOptions) {
    this.#options = options;
  }

  async read(): Promise<Commands> {
    const { commandsFolder: folder, maxPlugIns } = this.#options.config;
    const loaded = new Map<string, Loaded>();
    try {
      const names = namesIn(folder, (entry) => entry.isDirectory() && !entry.name.startsWith('.'));
      for (const name of names.slice(0, maxPlugIns)) loaded.set(name, await this.#look(name));
      for (const name of names.slice(maxPlugIns))
        loaded.set(name, { signature: '', why: `there are more than ${maxPlugIns} plug-ins` });
    } catch (error) {
      loaded.set(folder, { signature: '', why: reason(error) });
    }
    this.#loaded = loaded;
    const all = [...loaded];
    return {
      commands: all.flatMap(([, { command }]) => command ?? []),
      broken: all.flatMap(([name, { why }]) => (why === undefined ? [] : [{ name, why }])),
    };
  }

  async #look(name: string): Promise<Loaded> {
    const folder = join(this.#options.config.commandsFolder, name);
    const before = this.#loaded.get(name);
    let signature = '';
    try {
      signature = signatureOf(folder);
      if (before !== undefined && before.signature === signature) return before;
      return { signature, command: await this.#load(folder) };
    } catch (error) {
      return { signature, why: reason(error) };
    }
  }

  async #load(folder: string): Promise<Command> {
    const manifest = readManifest(join(folder, MANIFEST_FILE));
    const { program = 'run' } = manifest;
    const file = join(folder, program);
    const fault = ownedFileFault(file);
    if (fault !== undefined) throw new Error(`${program}: ${fault}`);
    if ((statSync(file).mode & EXECUTABLE) === 0)
      throw new Error(`${program} is not executable: chmod +x makes it so`);
    // ajv costs about 13 MB: only a device with plug-ins pays for it.
    const { compileSchema } = await import('@bowline/runtime/compile-schema');
    const { programs, config } = this.#options;
    const lineChars = config.outputLineChars;
    return plugInCommand({ manifest, file, folder, programs, compile: compileSchema, lineChars });
  }
}

/** Which files stand there, and in which version. */
function signatureOf(folder: string): string {
  const files = readdirSync(folder).toSorted().slice(0, 100);
  return JSON.stringify(['', ...files].map((name) => [name, ...versionOf(join(folder, name))]));
}

function readManifest(file: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(readOwnedFile(file, MANIFEST_BYTES));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new Error(`there is no ${MANIFEST_FILE}`, { cause: error });
    if (error instanceof SyntaxError)
      throw new Error(`${MANIFEST_FILE} is not JSON: ${error.message}`, { cause: error });
    throw error;
  }
  const fault = manifestFault(isManifest, value, MANIFEST_FILE);
  if (fault !== undefined) throw new Error(fault);
  return value as Manifest;
}
