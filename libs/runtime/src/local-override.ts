import { join } from 'node:path';
import { bootId } from './boot-id.ts';
import { systemClock } from './clock.ts';
import { overrideFile, readTree } from './config-layers.ts';
import { ConfigError, RejectedError } from './errors.ts';
import { readJsonIfPresent, writeFileDurably } from './files.ts';
import { hashOf } from './hash.ts';
import { isTree, type Tree } from './tree.ts';

/** Beside the one in the file: one that is about to be written there; more only if somebody writes by hand in between. */
const MOST_OTHERS = 4;

/** Within that an owner writes what was prepared for it. */
const PREPARED_FOR_MS = 10 * 60_000;

/** What counts in place of an override that was tried and did not stand. */
interface Refused {
  /** Of the override as it was tried: another one is another matter. */
  hash: string;
  instead: Tree;
  why: string;
  /** It has not been tried at all; its owner may be about to write it, but not after the end of this boot… */
  preparedIn?: string;
  /** …nor long after this. */
  preparedAtMs?: number;
}

/**
 * The local override of an app, `APP.local.json`: its owner's alone to write. If one was tried out and no link came to stand
 * under it, what counts in its place lies in the app's own state folder, for as long as the file says the same (ADR 0037).
 */
export class LocalOverride {
  readonly #written: string | undefined;
  readonly #file: string | undefined;

  constructor(file: string | undefined, stateDir: string | undefined) {
    this.#written = file === undefined ? undefined : overrideFile(file);
    this.#file = stateDir === undefined ? undefined : join(stateDir, 'override-refused.json');
  }

  /** What the owner wrote. @throws ConfigError `config-unreadable` */
  read(): Tree {
    return this.#written === undefined ? {} : readTree(this.#written, { absent: {} });
  }

  /** What counts in place of this override; undefined: it counts itself. */
  refused(override: Tree): Refused | undefined {
    const hash = hashOf(override);
    return this.#held().find((each) => each.hash === hash);
  }

  /** Durable when it returns: from now on `instead` counts in place of `override`. */
  refuse(override: Tree, instead: Tree, why: string): void {
    this.#add({ hash: hashOf(override), instead, why });
  }

  /** The same for one that its owner is about to write. */
  prepare(override: Tree, instead: Tree, why: string): void {
    this.#add({
      hash: hashOf(override),
      instead,
      why,
      preparedIn: bootId(),
      preparedAtMs: systemClock.sinceBootMs(),
    });
  }

  /**
   * Once the file says what counts, what was refused before is past: who writes it again by hand means it.
   *
   * @throws ConfigError `config-unreadable`; RejectedError `config-refused`: the disk does not take it.
   */
  forgetOthers(): void {
    const held = this.#held();
    if (held.length === 0 || this.refused(this.read()) !== undefined) return;
    const [thisBoot, nowMs] = [bootId(), systemClock.sinceBootMs()];
    const prepared = held.filter(
      ({ preparedIn, preparedAtMs = nowMs }) =>
        preparedIn === thisBoot && nowMs < preparedAtMs + PREPARED_FOR_MS,
    );
    if (prepared.length < held.length) this.#write(prepared);
  }

  /** Durable when it returns: from now on this override counts. */
  accept(override: Tree): void {
    if (this.refused(override) === undefined) return;
    const hash = hashOf(override);
    this.#write(this.#held().filter((each) => each.hash !== hash));
  }

  #add(refused: Refused): void {
    this.#write([refused, ...this.#held().filter(({ hash }) => hash !== refused.hash)]);
  }

  #held(): Refused[] {
    const held = this.#file === undefined ? undefined : readJsonIfPresent(this.#file);
    return Array.isArray(held) ? held.filter(isRefused) : [];
  }

  /** What the file says may have been refused long ago, and must not count for that. */
  #bounded(held: Refused[]): Refused[] {
    const inFile = this.#hashInFile();
    if (inFile === 'unknown') return held;
    let others = 0;
    return held.filter(({ hash }) => hash === inFile || ++others <= MOST_OTHERS);
  }

  #hashInFile(): string {
    try {
      return hashOf(this.read());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return 'unknown';
    }
  }

  #write(held: Refused[]): void {
    if (this.#file === undefined) return;
    try {
      writeFileDurably(this.#file, JSON.stringify(this.#bounded(held)));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RejectedError('config-refused', `cannot be kept on this device: ${why}`, { cause });
    }
  }
}

const isRefused = (value: unknown): value is Refused =>
  isTree(value) &&
  typeof value['hash'] === 'string' &&
  typeof value['why'] === 'string' &&
  isTree(value['instead']);
