import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';

/**
 * What `hello.capabilities` says of this device: `idempotent:NAME` for each command that may run again (protocol, section
 * 3). The executor says so when it registers; it is kept in a file of its own, so that the first hello after a restart,
 * or after the loss of the store, for which it matters most, has it before the executor is back.
 */
export class Capabilities {
  readonly #file: string;
  #commands: readonly string[];
  /** What the file holds. A write that a full disk refused is made up for when the executor registers again. */
  #written: string;

  constructor(file: string) {
    this.#file = file;
    this.#commands = read(file);
    this.#written = JSON.stringify(this.#commands);
  }

  learn(idempotentCommands: readonly string[]): void {
    const commands = [...new Set(idempotentCommands)].toSorted();
    this.#commands = commands;
    const text = JSON.stringify(commands);
    if (text === this.#written) return;
    writeFileDurably(this.#file, text);
    this.#written = text;
  }

  all(): string[] {
    return this.#commands.map((name) => `idempotent:${name}`);
  }
}

/** What cannot be read is as good as nothing: the executor says it again. */
function read(file: string): string[] {
  try {
    const value: unknown = JSON.parse(readFileIfPresent(file) ?? '[]');
    return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
