import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LANES } from '../lanes.ts';
import { Failed } from './host.ts';
import type { Ending, Fate, HardAction } from './fate.ts';
import { Life, LIMITS } from './life.ts';
import { recount } from './differences.ts';
import { Died, ProcessHost } from './process-host.ts';
import type { Snapshot } from './snapshot.ts';

/** A store in a process of its own, on a small disk of its own, with all that can go wrong. */
export class HardLife {
  readonly #folder: string;
  readonly #host: ProcessHost;
  readonly #life: Life;
  /** At some time in the life of the process that has the store open. */
  #diskFails = false;
  /** How often something went wrong, by what it was: a run in which nothing did proves nothing. */
  readonly seen: Record<string, number>;

  /** @param folder on a file system of its own, of about 24 MiB. */
  constructor(folder: string, seen: Record<string, number>) {
    this.#folder = folder;
    this.seen = seen;
    this.#host = new ProcessHost(join(folder, 'store'), LIMITS);
    this.#life = new Life(this.#host);
  }

  async live({ actions, ending }: Fate): Promise<void> {
    try {
      await this.#life.begin();
      for (const action of actions) await this.#perform(action);
      this.#free();
      await this.#life.perform({ kind: 'reopen', reboot: false }).catch((error) => this.#recover(error));
      await this.#life.look();
      await this.#host.close();
      await this.#end(ending);
    } finally {
      await this.#host.kill();
    }
  }

  async #perform(action: HardAction): Promise<void> {
    if (process.env['TRACE'])
      process.stderr.write(`${action.kind} ${JSON.stringify(action).slice(0, 120)}\n`);
    try {
      if (action.kind === 'peace') await this.#life.perform(action.action);
      else if (action.kind === 'kill') await this.#kill(action);
      else if (action.kind === 'killed-openings') {
        await this.#host.kill();
        for (const afterMs of action.afterMs) {
          this.#life.restarted(false);
          await this.#host.openAndKill(this.#life.clocks(), afterMs);
        }
        this.#count('killed while it opened');
        this.#diskFails = this.#life.mayBeFull;
        await this.#life.reopen(action.reboot);
      } else if (action.kind === 'io-errors') {
        await this.#host.close();
        this.#host.ioError = action.ioError;
        this.#diskFails = true;
        await this.#life.reopen(false);
        for (const plans of action.bursts) await this.#life.commit(this.#life.plan(plans));
      } else if (action.kind === 'fill') this.#fill(action.leaveBytes);
      else this.#free();
    } catch (error) {
      await this.#recover(error);
    }
  }

  /** A store that failed ends its process, and is opened again by the next, on a disk that works. */
  async #recover(error: unknown): Promise<void> {
    if (error instanceof Failed) {
      // Its own codes or that of its lock file: it knows what has happened to it.
      const known = ['commit-failed', 'store-check-failed', 'state-folder'].includes(error.code);
      assert.ok(known, `an error that is none of ours: ${error.message}`);
      this.#count(error.code);
    } else if (error instanceof Died && this.#diskFails) {
      this.#count('ended by LMDB'); // after a failed write it may corrupt its own memory: a crash like any other
    } else throw error;
    await this.#host.kill();
    this.#diskFails = this.#life.mayBeFull;
    await this.#life.reopen(false);
  }

  async #kill({ batches, afterMs, reboot }: HardAction & { kind: 'kill' }): Promise<void> {
    const life = this.#life;
    const done =
      typeof batches === 'string' ? life.perform({ kind: batches }) : life.commit(life.plan(batches));
    // Later is answered, and then must be there.
    const outcome = done.then(
      () => undefined,
      (error: unknown) => error,
    );
    await sleep(afterMs);
    await this.#host.kill();
    const error = await outcome;
    if (error !== undefined && !(error instanceof Died)) throw error;
    this.#count(error === undefined ? 'killed after the answer' : 'killed at work');
    this.#diskFails = life.mayBeFull;
    await life.reopen(reboot);
  }

  #fill(leaveBytes: number): void {
    this.#free();
    const filler = join(this.#folder, 'filler');
    const spare = join(this.#folder, 'spare');
    writeFileSync(spare, Buffer.alloc(leaveBytes, 1));
    for (const size of [65_536, 4096]) {
      try {
        for (;;) appendFileSync(filler, Buffer.alloc(size, 1));
      } catch {
        // Full for pieces of this size.
      }
    }
    rmSync(spare);
    this.#life.mayBeFull = true;
    this.#diskFails = true;
    this.#count('disk filled');
  }

  #free(): void {
    rmSync(join(this.#folder, 'filler'), { force: true });
    this.#life.mayBeFull = false;
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #end({ flips, killsAt }: Ending): Promise<void> {
    const damaged = readFileSync(join(this.#host.folder, 'store.mdb'));
    const turned = flips.flatMap((flip) => {
      const places = this.#places(damaged, flip);
      for (const place of places) damaged[place] = (damaged[place] ?? 0) ^ (1 << flip.bit);
      return places;
    });
    const where = `after bits were turned at ${turned.join(', ')}`;
    const undisturbed = this.#another('undisturbed', damaged);
    const disturbed = this.#another('disturbed', damaged);
    const clocks = this.#life.clocks();
    const began = performance.now();
    await undisturbed.open(clocks);
    const tookMs = performance.now() - began;
    const saved = await undisturbed.snapshot();
    await undisturbed.close();
    this.#count(saved.recovery?.kind ?? 'damage where nothing is');
    assert.deepEqual(this.#lies(saved), [], where);

    for (const at of killsAt) await disturbed.openAndKill(clocks, at * tookMs);
    await disturbed.open(clocks);
    const again = await disturbed.snapshot();
    await disturbed.close();
    assert.deepEqual(this.#essence(again), this.#essence(saved), `${where}, with kills meanwhile`);

    await disturbed.open(clocks);
    const reopened = await disturbed.snapshot();
    await disturbed.close();
    assert.deepEqual([reopened.recovery, this.#essence(reopened)], [undefined, this.#essence(again)], where);
  }

  /**
   * Where in the file to turn a bit: of a message in every copy, since old ones lie about and are found; of an order in one,
   * since what is wherever its id stood is the last that knows of it.
   */
  #places(file: Buffer, { where, at, bit }: Ending['flips'][number]): number[] {
    if (where === 'anywhere') return [Math.floor(at * file.length)];
    if (where === 'roots') return [Math.floor(at * 8192)];
    const { lanes, orders } = this.#life.model;
    const ids =
      where === 'order'
        ? [...orders.keys()]
        : LANES.flatMap((lane) => lanes[lane].messages.map(({ id }) => id));
    const id = ids[Math.floor(at * ids.length)];
    const places: number[] = [];
    if (id === undefined) return places;
    for (let place = file.indexOf(id); place >= 0; place = file.indexOf(id, place + 1))
      places.push(place + 9);
    return where === 'order' ? places.slice(bit % places.length).slice(0, 1) : places;
  }

  #another(name: string, store: Buffer): ProcessHost {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, 'store.mdb'), store);
    const lock = join(this.#host.folder, 'store.mdb-lock');
    if (existsSync(lock)) copyFileSync(lock, join(folder, 'store.mdb-lock'));
    return new ProcessHost(folder, LIMITS);
  }

  /** What of a saved store does not depend on when it was saved. */
  #essence(snapshot: Snapshot): unknown {
    const { epoch, stored, ledger, orders, unfinished, dead, downlink } = snapshot;
    const lanes = LANES.map((lane) =>
      stored[lane].map(({ seq, id, json }) => {
        const { type, payload } = JSON.parse(json);
        // A gap that the rescue made has an id of its own.
        return [seq, type === 'gap' ? type : id, payload];
      }),
    );
    return { sameEpoch: epoch === this.#life.epoch, lanes, ledger, orders, unfinished, dead, downlink };
  }

  /** What is wrong with a store that was saved from damage: it may lack something, but must say so. */
  #lies(snapshot: Snapshot): string[] {
    const { epoch, recovery, stored, lanes, orders } = snapshot;
    const { model, payloads } = this.#life;
    const lies = LANES.flatMap((lane) => recount(lane, snapshot));
    const sameEpoch = epoch === this.#life.epoch;
    const gaps = LANES.flatMap((lane) => stored[lane].map(({ json }) => JSON.parse(json)))
      .filter(({ type, payload }) => type === 'gap' && payload.reason === 'corrupt')
      .map(({ payload }) => payload as { lane: string; from?: number; to?: number });
    for (const lane of LANES) {
      const present = new Map<string, number>();
      for (const { id, seq, json } of stored[lane]) {
        const { type, seq: inside, payload } = JSON.parse(json);
        present.set(id, seq);
        if (inside !== seq) lies.push(`${lane} ${seq} says ${inside}`);
        if (type !== 'gap' && payloads.get(id) !== JSON.stringify(payload))
          lies.push(`${lane} ${seq} has changed`);
      }
      for (const { id, seq } of model.lanes[lane].messages) {
        const now = present.get(id);
        if (now !== undefined && sameEpoch && now !== seq) lies.push(`${lane} ${seq} has become ${now}`);
        const told = gaps.some(
          (gap) =>
            gap.lane === lane && (!sameEpoch || ((gap.from ?? 0) <= seq && seq <= (gap.to ?? Infinity))),
        );
        if (now === undefined && !told) lies.push(`${lane} ${seq} is missing and no gap says so`);
      }
      if (sameEpoch && lanes[lane].next < model.lanes[lane].next) lies.push(`${lane} uses seqs again`);
    }
    const found = new Map(orders.map((entry) => [entry.orderId, entry]));
    for (const { entry } of model.orders.values()) {
      const now = found.get(entry.orderId);
      const isWhole = JSON.stringify(now) === JSON.stringify(entry);
      if (!isWhole && now?.status !== 'indeterminate' && recovery?.kind !== 'salvaged')
        lies.push(`order ${entry.orderId} is forgotten`);
    }
    return lies;
  }

  #count(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }
}
