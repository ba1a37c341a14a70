import { isDiskFull, readJsonIfPresent, writeFileDurably, type Logger } from '@bowline/runtime';
import type { Denied, HigherVersion, Installed, LedgerImage } from '../core/ledger.ts';

type Standing = Pick<LedgerImage, 'installed' | 'denied'>;

/**
 * What stands on the device and what failed there, a second time beside the journal: with the journal the floors of versions
 * would be lost, and an older release could be installed by an order that allows no downgrade.
 */
export class StandingFile {
  readonly #file: string;
  readonly #log: Logger;
  #kept = '';

  constructor(file: string, { log }: { log: Logger }) {
    this.#file = file;
    this.#log = log;
  }

  /** @returns what the journal should say; undefined: it says so already. */
  missing({ updates, installed, denied }: LedgerImage, higher: HigherVersion): Standing | undefined {
    const kept = this.#read();
    const whole: Standing = { installed: { ...kept.installed }, denied: { ...kept.denied, ...denied } };
    for (const [name, entry] of Object.entries(installed)) {
      const floor = higher(entry.minSecureVersion, kept.installed[name]?.minSecureVersion);
      whole.installed[name] = floor === undefined ? entry : { ...entry, minSecureVersion: floor };
    }
    const isWhole = (a: Record<string, unknown>, b: Record<string, unknown>) =>
      Object.keys(b).every((key) => JSON.stringify(a[key]) === JSON.stringify(b[key]));
    // Elsewhere what is not denied any more was allowed, or committed, since.
    const hasNothing = [updates, installed, denied].every((part) => Object.keys(part).length === 0);
    const isSame =
      isWhole(installed, whole.installed) && !(hasNothing && Object.keys(kept.denied).length > 0);
    return isSame ? undefined : whole;
  }

  keep({ installed, denied }: Standing): void {
    const text = JSON.stringify({ installed, denied });
    if (text === this.#kept) return;
    try {
      writeFileDurably(this.#file, text);
      this.#kept = text;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#log.warn({ file: this.#file }, 'no room for what stands here: it is in the journal alone');
    }
  }

  #read(): Standing {
    const { installed = {}, denied = {} } = Object(readJsonIfPresent(this.#file)) as {
      installed?: Record<string, Installed>;
      denied?: Record<string, Denied>;
    };
    return { installed, denied };
  }
}
