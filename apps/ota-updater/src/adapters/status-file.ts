import { renameSync, writeFileSync } from 'node:fs';
import type { UpdateStatus } from '@bowline/messages/update-status';
import { isDiskFull, type Clock, type Logger, type Timer } from '@bowline/runtime';

/** At most so often while bytes come in. */
const EVERY_MS = 500;

/** Keeps `status.json` of the state folder true, for people who ask on the device. Not durable: it is written anew at each start. */
export class StatusFile {
  readonly #file: string;
  readonly #read: () => UpdateStatus;
  readonly #clock: Clock;
  readonly #log: Logger;
  #due: Timer | undefined;

  constructor(file: string, read: () => UpdateStatus, { clock, log }: { clock: Clock; log: Logger }) {
    this.#file = file;
    this.#read = read;
    this.#clock = clock;
    this.#log = log;
    this.write();
  }

  changed(): void {
    this.#due ??= this.#clock.after(EVERY_MS, () => this.write());
  }

  write(): void {
    this.#due?.cancel();
    this.#due = undefined;
    const beside = `${this.#file}.new`;
    try {
      writeFileSync(beside, JSON.stringify(this.#read()), { mode: 0o600 });
      renameSync(beside, this.#file);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#log.warn({ file: this.#file }, 'no room for what people may read: it stays as it was');
    }
  }
}
