import { readJsonIfPresent, writeFileDurably } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { description as isDescription } from '../../generated/manifest.js';
import type { Description } from '../../manifest.ts';

/**
 * The commands of programs, on the disk: after a restart of this app their orders wait until the programs have come back, instead
 * of being refused as unknown.
 */
export class KnownCommands {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** One that does not read counts as none: its program registers it again. */
  read(): Description[] {
    const value = readJsonIfPresent(this.#file);
    return Array.isArray(value) ? value.filter((each): each is Description => isDescription(each)) : [];
  }

  /** @throws TransientError `registration-unwritable` */
  write(descriptions: readonly Description[]): void {
    try {
      writeFileDurably(this.#file, JSON.stringify(descriptions));
    } catch (error) {
      throw new TransientError(
        'registration-unwritable',
        `the command cannot be written down: ${String(error)}`,
        { cause: error },
      );
    }
  }
}
