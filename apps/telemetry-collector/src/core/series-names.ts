import type { Notes } from './notes.ts';
import { seriesName } from './series-name.ts';

/** So many names are remembered whose parts cannot be told from them. */
const MOST_NAMES = 10_000;

/** Gives series their names, and notices when two that were told apart become one. */
export class SeriesNames {
  readonly #notes: Pick<Notes, 'note'>;
  /** Of what a name was made that stands for it alone no longer. */
  readonly #madeOf = new Map<string, readonly string[]>();

  constructor(notes: Pick<Notes, 'note'>) {
    this.#notes = notes;
  }

  /** See {@link seriesName}. */
  readonly of = (metric: string, parts: readonly string[] = []): string => {
    const name = seriesName(metric, parts);
    const made = [metric, ...parts];
    const known = this.#madeOf.get(name);
    if (known === undefined) {
      const isPlain = name === made.join(':') && !parts.some((part) => part.includes(':'));
      if (!isPlain && this.#madeOf.size < MOST_NAMES) this.#madeOf.set(name, made);
    } else if (!isSame(known, made)) {
      this.#notes.note(
        'names-joined',
        name,
        `${shown(known)} and ${shown(made)} are both series ${name}: a name holds only letters, digits and . _ : / -`,
      );
    }
    return name;
  };
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((part, index) => part === b[index]);

/** Of a text that anybody may have made up, what a line has room for. */
const shown = (parts: readonly string[]): string => JSON.stringify(parts.join(' ')).slice(0, 200);
