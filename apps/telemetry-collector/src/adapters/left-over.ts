import { rmSync } from 'node:fs';
import { readJsonIfPresent, type Logger } from '@bowline/runtime';
import type { OutgoingMessage } from '../core/hand-over.ts';
import { SpareFile } from './spare-file.ts';

/**
 * What was accepted and is not the gateway's yet, on the disk until a later life has handed it over. A life that is cut off while
 * it does so begins anew: what comes twice has the same series and time.
 */
export class LeftOver {
  readonly #path: string;
  readonly #file: SpareFile;

  constructor(path: string, log: Pick<Logger, 'warn'>) {
    this.#path = path;
    this.#file = new SpareFile(path, log);
  }

  /** A file that does not read counts as none. */
  read(): OutgoingMessage[] {
    const messages = readJsonIfPresent(this.#path);
    return Array.isArray(messages) ? (messages as OutgoingMessage[]) : [];
  }

  /** As {@link replace}, beside what is there already. */
  add(messages: readonly OutgoingMessage[], mostBytes: number): boolean {
    return this.replace([...this.read(), ...messages], mostBytes);
  }

  /**
   * Instead of what is there.
   *
   * @param mostBytes of the file
   * @returns whether it is on the disk.
   */
  replace(messages: readonly OutgoingMessage[], mostBytes: number): boolean {
    const text = JSON.stringify(messages);
    return Buffer.byteLength(text) <= mostBytes && this.#file.write(text);
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
