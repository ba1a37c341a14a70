import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HubClient } from '@bowline/ipc';
import { readFileIfPresent, readJsonIfPresent, writeFileDurably } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { historyPart, partsOf } from './bundle.ts';

/**
 * Also after its last part one is kept, since the executor may be killed before that is reported; newer ones take its room.
 */
const MOST_KEPT = 4;
const BUNDLE = '.bundle';
const PROGRESS = '.progress';

/** The part that goes next, and its id: if the gateway has it already, it has it under this one. */
interface Progress {
  part: number;
  id: string;
}

/**
 * Uploads of diagnostics that go on after a cut: the text of an order is on disk before its first part goes, and each part is
 * noted when the gateway has it. A second text, made later, could not be joined with parts of the first.
 */
export class BundleUpload {
  readonly #folder: string;
  readonly #hub: Pick<HubClient, 'enqueue'>;
  readonly #wallMs: () => number;

  constructor(folder: string, hub: Pick<HubClient, 'enqueue'>, wallMs: () => number) {
    this.#folder = folder;
    this.#hub = hub;
    this.#wallMs = wallMs;
  }

  /**
   * @param make the text; not called if one is kept for this order.
   * @returns when all parts are on the gateway's disk.
   */
  async run(
    orderId: string,
    make: () => Promise<string>,
    signal: AbortSignal,
  ): Promise<{ parts: number; sizeBytes: number }> {
    const text = readFileIfPresent(this.#file(orderId, BUNDLE)) ?? (await this.#keep(orderId, await make()));
    const parts = partsOf(text);
    let next = this.#progress(orderId);
    while (next.part < parts) {
      const { part, id } = next;
      const message = await historyPart(text, { orderId, part, id, sentAt: Math.round(this.#wallMs()) });
      await this.#hub.enqueue([message], { signal });
      next = { part: part + 1, id: newId() };
      writeFileDurably(this.#file(orderId, PROGRESS), JSON.stringify(next));
    }
    return { parts, sizeBytes: Buffer.byteLength(text) };
  }

  async #keep(orderId: string, text: string): Promise<string> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // Ids of orders begin with their time (UUIDv7).
    const kept = [...new Set(readdirSync(this.#folder).map((name) => name.split('.')[0] ?? ''))].toSorted();
    for (const old of kept.slice(0, Math.max(0, kept.length + 1 - MOST_KEPT)))
      for (const suffix of [PROGRESS, BUNDLE]) rmSync(this.#file(old, suffix), { force: true });
    const first: Progress = { part: 0, id: newId() };
    writeFileDurably(this.#file(orderId, PROGRESS), JSON.stringify(first));
    writeFileDurably(this.#file(orderId, BUNDLE), text);
    return text;
  }

  /** One that does not read is of a disk that lost it: all parts go once more. */
  #progress(orderId: string): Progress {
    const { part, id } = (readJsonIfPresent(this.#file(orderId, PROGRESS)) ?? {}) as Partial<Progress>;
    return Number.isSafeInteger(part) && typeof id === 'string'
      ? { part: part ?? 0, id }
      : { part: 0, id: newId() };
  }

  #file(orderId: string, suffix: string): string {
    return join(this.#folder, orderId + suffix);
  }
}
