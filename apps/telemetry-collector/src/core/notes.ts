import type { AppNote } from '@bowline/messages/hub';
import type { Clock, Logger } from '@bowline/runtime';

/** Things that are taken, but perhaps not as whoever handed them in meant it. */
export type NoteCode = 'same-moment' | 'names-joined';

export interface NotesOptions {
  /** Called some seconds after something was noted, however often it was. */
  changed(): void;
  clock: Clock;
  log: Pick<Logger, 'warn'>;
}

const TELL_AFTER_MS = 5000;
/** Of each code, so many keys are logged, each once. */
const MOST_LOGGED = 100;

/** Counts them, and says each once in the log; `bowline status` shows how often, and the last one. */
export class Notes {
  readonly #options: NotesOptions;
  readonly #notes = new Map<NoteCode, { count: number; detail: string; logged: Set<string> }>();
  #isToBeTold = false;

  constructor(options: NotesOptions) {
    this.#options = options;
  }

  /** @param key what it is about, e.g. a series. */
  note(code: NoteCode, key: string, detail: string): void {
    const { clock, log, changed } = this.#options;
    const known = this.#notes.get(code) ?? { count: 0, detail, logged: new Set<string>() };
    known.count += 1;
    known.detail = detail;
    this.#notes.set(code, known);
    if (!known.logged.has(key) && known.logged.size < MOST_LOGGED) {
      known.logged.add(key);
      log.warn({ note: code }, detail);
    }
    if (this.#isToBeTold) return;
    this.#isToBeTold = true;
    clock.after(TELL_AFTER_MS, () => {
      this.#isToBeTold = false;
      changed();
    });
  }

  view(): AppNote[] {
    return [...this.#notes].map(([code, { count, detail }]) => ({ code, count, detail }));
  }
}
