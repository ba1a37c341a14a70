import type { DatabaseSync } from 'node:sqlite';
import type { Sample } from '@bowline/messages';

/** Numbers stand for names in the file. Names are few and kept in memory. */
export class SeriesTable {
  readonly #database: DatabaseSync;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #units = new Map<number, string>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    for (const row of database.prepare('SELECT id, name, unit FROM series').all()) {
      this.#know(
        Number(row['id']),
        String(row['name']),
        row['unit'] === null ? undefined : String(row['unit']),
      );
    }
  }

  get size(): number {
    return this.#ids.size;
  }

  get names(): string[] {
    return [...this.#ids.keys()].toSorted();
  }

  id(name: string): number | undefined {
    return this.#ids.get(name);
  }

  /** Of a number that the file holds; a damaged one may have none. */
  name(id: number): string {
    return this.#names.get(id) ?? `unknown.${id}`;
  }

  unit(name: string): string | undefined {
    return this.#units.get(this.#ids.get(name) ?? -1);
  }

  /** Makes the series known, within the caller's transaction. */
  idFor(name: string, unit: string | undefined): number {
    const known = this.#ids.get(name);
    if (known === undefined) {
      const added = this.#database
        .prepare('INSERT INTO series (name, unit) VALUES (?, ?)')
        .run(name, unit ?? null);
      this.#know(Number(added.lastInsertRowid), name, unit);
      return Number(added.lastInsertRowid);
    }
    if (unit !== undefined && this.#units.get(known) !== unit) {
      this.#database.prepare('UPDATE series SET unit = ? WHERE id = ?').run(unit, known);
      this.#units.set(known, unit);
    }
    return known;
  }

  /**
   * What of these samples may be recorded, so that there are at most so many series: names that a program makes up as it goes
   * must not fill memory and file.
   */
  admit(samples: readonly Sample[], most: number): { taken: Sample[]; leftOut: Sample[] } {
    const added = new Set<string>();
    const taken: Sample[] = [];
    const leftOut: Sample[] = [];
    for (const sample of samples) {
      const { series } = sample;
      const isKnown = this.#ids.has(series) || added.has(series);
      if (!isKnown && this.#ids.size + added.size >= most) {
        leftOut.push(sample);
        continue;
      }
      if (!isKnown) added.add(series);
      taken.push(sample);
    }
    return { taken, leftOut };
  }

  /** Within the caller's transaction; nothing of it may be left. */
  forget(id: number): void {
    this.#database.prepare('DELETE FROM series WHERE id = ?').run(id);
    const name = this.#names.get(id);
    this.#names.delete(id);
    this.#units.delete(id);
    if (name !== undefined) this.#ids.delete(name);
  }

  #know(id: number, name: string, unit: string | undefined): void {
    this.#ids.set(name, id);
    this.#names.set(id, name);
    if (unit !== undefined) this.#units.set(id, unit);
  }
}
