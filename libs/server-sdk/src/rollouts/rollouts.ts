import { isInRollout } from '@bowline/identity';
import type { Order, Rollout, RolloutReport } from '@bowline/messages';
import type { Clock } from '@bowline/runtime/clock';
import type { Logger } from '@bowline/runtime';
import { BowlineError, RejectedError, TransientError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import type { DeviceDirectory, DeviceRecord } from '../devices/device-directory.ts';
import type { DeviceStatusBook } from '../devices/device-status.ts';
import type { NewsDesk } from '../news.ts';
import { ORDER_LIFE_MS, type OrderBook } from '../orders/order-book.ts';
import type { ServerIdentity } from '../server-identity.ts';
import { keys } from '../store/keys.ts';
import { parse, put, read, remove, within, type Entry, type ServerStore } from '../store/server-store.ts';
import {
  count,
  isDue,
  nothingYet,
  outcomeOf,
  whyPause,
  type RolloutAim,
  type RolloutCounts,
  type RolloutRecord,
  type SignedStage,
  type TakenPart,
} from './rollout.ts';

export interface RolloutsPorts {
  store: ServerStore;
  devices: DeviceDirectory;
  status: DeviceStatusBook;
  orders: OrderBook;
  identity: ServerIdentity;
  news: NewsDesk;
  clock: Clock;
  log: Logger;
}

/** One that runs, as this process knows it beside the store. */
interface Held {
  record: RolloutRecord;
  counts: RolloutCounts;
  /** Of the group, and of those the ones that it is for. */
  groupDevices: number;
  devices: number;
}

export interface NewRollout {
  by: string;
  maxFailedPercent: number;
  /** Devices are to join the group later. */
  allowEmptyGroup?: boolean;
}

/** Rollouts that are known; the oldest that was stopped goes for a new one. */
const MOST = 100;
/** So many devices are looked at before others get their turn. */
const PAGE = 256;
const MOST_FAILURES_TOLD = 100;
const MOST_GROUPS_TOLD = 10;

/**
 * Staged rollouts. A device is given its order only while it is connected and the rollout runs: so a pause holds back all that
 * has not begun, whoever is away among them. It also calls off what was given and has not switched yet. Each stage, and each
 * going on, takes a new signature of an operator: this server can neither widen a rollout nor begin one.
 */
export class Rollouts {
  readonly #ports: RolloutsPorts;
  readonly #held = new Map<string, Held>();
  /** Orders under way: whose they are. */
  readonly #underWay = new Map<string, { held: Held; deviceId: string }>();
  readonly #unsubscribe: () => void;
  /** Whose devices are being counted anew, and whether that was asked for again meanwhile. */
  readonly #counting = new Map<Held, boolean>();
  #isStopped = false;

  constructor(ports: RolloutsPorts) {
    this.#ports = ports;
    const { store, news, status } = ports;
    for (const { value } of store.range(within(keys.rollouts))) {
      const record = parse<RolloutRecord>(value);
      this.#held.set(record.rolloutId, { record, counts: nothingYet(), groupDevices: 0, devices: 0 });
    }
    this.#unsubscribe = news.subscribe(({ body }) => this.#heard(body as Order), {
      kinds: new Set(['order']),
    });
    status.onOnline = (deviceId) => setImmediate(() => this.#cameOnline(deviceId));
  }

  /** Takes up what another life of this process began. */
  async start(): Promise<void> {
    for (const held of this.#held.values()) await this.#countParts(held);
    await this.#countDevices([...this.#held.values()]);
    for (const held of this.#held.values()) {
      // What failed while no server ran.
      this.#pauseIfItMust(held);
      await this.#act(held);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#unsubscribe();
  }

  /** Newest first. */
  list(): Rollout[] {
    return [...this.#held.values()]
      .map((held) => this.#view(held))
      .toSorted((a, b) => b.createdAt - a.createdAt);
  }

  /** @throws RejectedError `unknown-rollout` */
  get(rolloutId: string): RolloutReport {
    const held = this.#known(rolloutId);
    const wanted = Math.min(held.counts.failed, MOST_FAILURES_TOLD);
    const onDevices: RolloutReport['onDevices'] = [];
    const prefix = keys.rolloutPartsOf(rolloutId);
    // No further than to the last that is told: there may be a part for each device of a large fleet.
    const { to, from: first } = within(prefix);
    for (let from = first; onDevices.length < wanted;) {
      const page = this.#ports.store.range({ from, to, limit: PAGE });
      for (const { key, value } of page) {
        const { status, orderId, code = 'failed', message = '', at } = parse<TakenPart>(value);
        if (status === 'failed' && onDevices.length < wanted)
          onDevices.push({ deviceId: key.slice(prefix.length), orderId, code, message, at });
      }
      const last = page.at(-1);
      if (last === undefined) break;
      from = `${last.key}\0`;
    }
    return { ...this.#view(held), onDevices };
  }

  /** @throws RejectedError `rollout-exists`, `empty-group`; TransientError `too-many-rollouts`. */
  async begin(
    aim: RolloutAim,
    stage: SignedStage,
    { by, maxFailedPercent, allowEmptyGroup = false }: NewRollout,
  ): Promise<Rollout> {
    if (!allowEmptyGroup) await this.#mustHaveDevices(aim.group);
    this.#mustBeNew(aim);
    await this.#makeRoom();
    // Another one may have begun meanwhile.
    this.#mustBeNew(aim);
    const at = this.#now();
    const head = { status: 'running', maxFailedPercent, by, createdAt: at, changedAt: at } as const;
    const held: Held = {
      record: { ...aim, ...stage, ...head },
      counts: nothingYet(),
      groupDevices: 0,
      devices: 0,
    };
    this.#held.set(aim.rolloutId, held);
    await this.#write(held, {});
    return this.#goOn(held);
  }

  /**
   * The next stage, or the same again after a pause, newly signed.
   *
   * @throws RejectedError `unknown-rollout`, `rollout-stopped`, `rollout-mismatch`.
   */
  async goOn(aim: RolloutAim, stage: SignedStage): Promise<Rollout> {
    const held = this.#known(aim.rolloutId);
    const { record } = held;
    if (record.status === 'stopped')
      throw new RejectedError('rollout-stopped', 'it was stopped for good: begin another one');
    for (const key of ['group', 'channel', 'name', 'version', 'digest'] as const)
      if (aim[key] !== record[key])
        throw new RejectedError(
          'rollout-mismatch',
          `it was signed for ${key} ${aim[key] ?? 'unnamed'}; this rollout has ${record[key] ?? 'unnamed'}`,
        );
    if (stage.percent < record.percent)
      throw new RejectedError('rollout-mismatch', `it has reached ${record.percent} % already`);
    held.counts.failures = {};
    const { why: _, ...rest } = record;
    held.record = { ...rest, ...stage, status: 'running', wentOnAt: this.#now() };
    await this.#write(held, {});
    return this.#goOn(held);
  }

  /** Nobody begins from now on, and what has not switched is called off. `stopped`: for good. @throws RejectedError `unknown-rollout`, `rollout-stopped` */
  async halt(rolloutId: string, status: 'paused' | 'stopped', why: string): Promise<Rollout> {
    const held = this.#known(rolloutId);
    if (held.record.status === 'stopped')
      throw new RejectedError('rollout-stopped', 'it was stopped already');
    await this.#write(held, { status, why });
    this.#inBackground(this.#act(held));
    return this.#view(held);
  }

  async #goOn(held: Held): Promise<Rollout> {
    await this.#countDevices([held]);
    this.#inBackground(this.#act(held));
    return this.#view(held);
  }

  /** What is to be done as it stands: give, or call off. May be done again at any time. */
  async #act(held: Held): Promise<void> {
    if (this.#runs(held)) {
      const { record } = held;
      const give = inBatches<DeviceRecord>(({ deviceId }) => this.#give(held, deviceId));
      for await (const device of this.#devices()) {
        if (this.#isStopped || held.record !== record) break;
        if (this.#isFor(held, device)) await give.next(device);
      }
      return give.end();
    }
    const recall = inBatches<[string, { deviceId: string }]>(([orderId, { deviceId }]) =>
      this.#recall(held, deviceId, orderId),
    );
    for (const entry of [...this.#underWay].filter(([, { held: whose }]) => whose === held)) {
      if (this.#isStopped || this.#runs(held)) break;
      await recall.next(entry);
    }
    return recall.end();
  }

  async #give(held: Held, deviceId: string): Promise<void> {
    const { store, orders, identity, log, status } = this.#ports;
    const { rolloutId, order, jti, signedUntil, status: now } = held.record;
    const at = this.#now();
    const expiresInMs = Math.min(signedUntil - at, ORDER_LIFE_MS);
    if (now !== 'running' || expiresInMs <= 0 || !status.isOnline(deviceId)) return;
    const before = read<TakenPart>(store, keys.rolloutPart(rolloutId, deviceId));
    if (!isDue(before, held.record)) return;
    const orderId = newId();
    const part: TakenPart = { orderId, jti, status: 'given', at };
    this.#underWay.set(orderId, { held, deviceId });
    const given = orders.create(deviceId, identity.serverEpoch, {
      orderId,
      type: 'softwareUpdate',
      payload: { order },
      expiresInMs,
    });
    this.#set(held, deviceId, before, part); // in the same commit
    const { succeeded, failed, recalled, given: underWay } = held.counts;
    // It has joined the group since they were counted.
    if (succeeded + failed + recalled + underWay > held.devices) this.#inBackground(this.#countAnew(held));
    try {
      await given;
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      this.#underWay.delete(orderId);
      this.#set(held, deviceId, part, before);
      log.warn({ deviceId, rolloutId, code: error.code }, 'its order waits until the device connects again');
    }
  }

  async #recall(held: Held, deviceId: string, orderId: string): Promise<void> {
    const { store, orders, identity, log } = this.#ports;
    const { rolloutId } = held.record;
    const part = read<TakenPart>(store, keys.rolloutPart(rolloutId, deviceId));
    if (part?.orderId !== orderId || part.recall !== undefined) return;
    const order = orders.get(orderId);
    if (order === undefined) return;
    try {
      const recall = await orders.cancel(order, identity.serverEpoch);
      const now = read<TakenPart>(store, keys.rolloutPart(rolloutId, deviceId));
      if (now?.orderId === orderId) this.#set(held, deviceId, now, { ...now, recall: recall.orderId });
    } catch (error) {
      if (!(error instanceof RejectedError) && !(error instanceof TransientError)) throw error;
      log.warn({ deviceId, orderId, code: error.code }, 'an order of a rollout could not be called off');
    }
  }

  #heard(order: Order): void {
    const underWay = this.#underWay.get(order.orderId);
    const outcome = underWay && outcomeOf(order);
    if (underWay === undefined || outcome === undefined) return;
    const { held, deviceId } = underWay;
    this.#underWay.delete(order.orderId);
    const { rolloutId } = held.record;
    const part = read<TakenPart>(this.#ports.store, keys.rolloutPart(rolloutId, deviceId));
    if (part === undefined) return;
    const { orderId, jti } = part;
    this.#set(held, deviceId, part, { orderId, jti, at: this.#now(), ...outcome });
    if (!this.#runs(held)) return;
    if (this.#pauseIfItMust(held)) this.#inBackground(this.#act(held));
    // It was called off in a pause that is over.
    else if (outcome.status === 'recalled') setImmediate(() => this.#cameOnline(deviceId));
  }

  #pauseIfItMust(held: Held): boolean {
    const why = this.#runs(held) ? whyPause(held.record, held.counts, held.devices) : undefined;
    if (why === undefined) return false;
    this.#ports.log.warn({ rolloutId: held.record.rolloutId, why }, 'a rollout pauses');
    void this.#write(held, { status: 'paused', why });
    return true;
  }

  #cameOnline(deviceId: string): void {
    if (this.#held.size === 0 || this.#isStopped) return;
    const device = this.#ports.devices.get(deviceId);
    if (device === undefined) return;
    for (const held of this.#held.values())
      if (this.#runs(held) && this.#isFor(held, device)) this.#inBackground(this.#give(held, deviceId));
  }

  #inBackground(act: Promise<void>): void {
    act.catch((error: unknown) => this.#ports.log.error({ error }, 'a rollout could not go on'));
  }

  #runs({ record }: Held): boolean {
    return record.status === 'running';
  }

  #isFor({ record: { rolloutId: salt, group, percent } }: Held, device: DeviceRecord): boolean {
    return (
      device.revokedAt === undefined &&
      device.groups.includes(group) &&
      isInRollout({ percent, salt }, device.deviceId)
    );
  }

  #set(held: Held, deviceId: string, before: TakenPart | undefined, after: TakenPart | undefined): void {
    const { record, counts } = held;
    if (before !== undefined) count(counts, before, record, -1);
    if (after !== undefined) count(counts, after, record, 1);
    const key = keys.rolloutPart(record.rolloutId, deviceId);
    void this.#ports.store.write([after === undefined ? remove(key) : put(key, after)]);
  }

  #write(held: Held, change: Partial<RolloutRecord>): Promise<void> {
    return this.#keep(held, { ...change, changedAt: this.#now() });
  }

  #keep(held: Held, change: Partial<RolloutRecord>): Promise<void> {
    held.record = { ...held.record, ...change };
    return this.#ports.store.write([put(keys.rollout(held.record.rolloutId), held.record)]);
  }

  async #countParts(held: Held): Promise<void> {
    const { record } = held;
    const { rolloutId, status, settled } = record;
    if (settled !== undefined) {
      held.counts = { ...settled, failures: { ...settled.failures } };
      return;
    }
    for await (const { deviceId, part } of this.#parts(rolloutId)) {
      count(held.counts, part, record, 1);
      if (part.status !== 'given') continue;
      const order = this.#ports.orders.get(part.orderId);
      const lost = { status: 'recalled', code: 'order-lost' } as const;
      const outcome = order === undefined ? lost : outcomeOf(order);
      if (outcome === undefined) this.#underWay.set(part.orderId, { held, deviceId });
      else this.#set(held, deviceId, part, { ...part, ...outcome, at: this.#now() });
    }
    // Nothing of it changes any more: the next life of this process need not look at each of its devices.
    if (status === 'stopped' && held.counts.given === 0)
      await this.#keep(held, { settled: { ...held.counts, failures: { ...held.counts.failures } } });
  }

  /** One look at all devices, however many rollouts there are. */
  async #countDevices(all: readonly Held[]): Promise<void> {
    const counts = new Map(all.map((held) => [held, { groupDevices: 0, devices: 0 }]));
    for await (const device of this.#devices())
      for (const [held, seen] of counts) {
        if (!device.groups.includes(held.record.group)) continue;
        seen.groupDevices += 1;
        if (this.#isFor(held, device)) seen.devices += 1;
      }
    for (const [held, seen] of counts) Object.assign(held, seen);
  }

  /** Many may join at once, or more have left than stayed: each look at all devices is for all that asked for one before it. */
  async #countAnew(held: Held): Promise<void> {
    if (this.#counting.has(held)) return void this.#counting.set(held, true);
    try {
      do {
        this.#counting.set(held, false);
        await this.#countDevices([held]);
      } while (this.#counting.get(held) === true && !this.#isStopped);
    } finally {
      this.#counting.delete(held);
    }
  }

  #mustBeNew({ rolloutId, name, group }: RolloutAim): void {
    if (this.#held.has(rolloutId))
      throw new RejectedError(
        'rollout-exists',
        `there is a rollout ${rolloutId}: widen it, or take another id`,
      );
    const rival = [...this.#held.values()].find(
      ({ record }) => record.status !== 'stopped' && record.name === name && record.group === group,
    );
    if (rival !== undefined)
      throw new RejectedError(
        'rollout-exists',
        `${rival.record.rolloutId} brings ${name} to ${group} already: stop it first`,
      );
  }

  /** Whoever mistypes a group would wait for its devices for ever. */
  async #mustHaveDevices(group: string): Promise<void> {
    const groups = new Set<string>();
    for await (const device of this.#devices()) {
      if (device.groups.includes(group)) return;
      for (const each of device.groups) if (groups.size < MOST_GROUPS_TOLD) groups.add(each);
    }
    const known =
      groups.size === 0 ? 'no device is in any group' : `there is ${[...groups].toSorted().join(', ')}`;
    throw new RejectedError(
      'empty-group',
      `no device is in the group ${group} (${known}): name another, or say that devices join it later (allowEmptyGroup; --empty-group)`,
    );
  }

  /** Those that were not revoked. */
  async *#devices(): AsyncGenerator<DeviceRecord> {
    for await (const page of this.#pages(keys.devices))
      for (const { value } of page) {
        const device = parse<DeviceRecord>(value);
        if (device.revokedAt === undefined) yield device;
      }
  }

  async *#parts(rolloutId: string): AsyncGenerator<{ deviceId: string; part: TakenPart }> {
    const prefix = keys.rolloutPartsOf(rolloutId);
    for await (const page of this.#pages(prefix))
      for (const { key, value } of page)
        yield { deviceId: key.slice(prefix.length), part: parse<TakenPart>(value) };
  }

  /** A fleet may be large, and others want their turn. */
  async *#pages(prefix: string): AsyncGenerator<Entry[]> {
    const { to, from: first } = within(prefix);
    for (let from = first; ;) {
      const page = this.#ports.store.range({ from, to, limit: PAGE });
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      from = `${last.key}\0`;
      await new Promise(setImmediate);
    }
  }

  #view({ record, counts, devices, groupDevices }: Held): Rollout {
    const { order: _1, jti: _2, settled: _3, wentOnAt: _4, ...told } = record;
    const { failures, ...parts } = counts;
    return { ...told, devices, groupDevices, ...parts, failures: { ...failures } };
  }

  #known(rolloutId: string): Held {
    const held = this.#held.get(rolloutId);
    if (held === undefined)
      throw new RejectedError('unknown-rollout', 'this server does not know the rollout');
    return held;
  }

  async #makeRoom(): Promise<void> {
    if (this.#held.size < MOST) return;
    const [oldest] = [...this.#held.values()]
      .filter(({ record }) => record.status === 'stopped')
      .toSorted((a, b) => a.record.changedAt - b.record.changedAt);
    if (oldest === undefined)
      throw new TransientError('too-many-rollouts', `${MOST} rollouts are not over: stop some`);
    const { rolloutId } = oldest.record;
    this.#held.delete(rolloutId);
    for (const [orderId, { held }] of this.#underWay) if (held === oldest) this.#underWay.delete(orderId);
    // Its record goes last: what a crash leaves of it is a rollout that was stopped.
    for await (const page of this.#pages(keys.rolloutPartsOf(rolloutId)))
      await this.#ports.store.write(page.map(({ key }) => remove(key)));
    await this.#ports.store.write([remove(keys.rollout(rolloutId))]);
  }

  #now(): number {
    return Math.round(this.#ports.clock.wallMs());
  }
}

/** One commit holds the writes of many: so many are begun before the first is waited for. */
function inBatches<T>(act: (item: T) => Promise<void>): {
  next(item: T): Promise<void>;
  end(): Promise<void>;
} {
  let batch: Promise<void>[] = [];
  const end = async () => {
    const begun = batch;
    batch = [];
    await Promise.all(begun);
  };
  return {
    next: async (item) => {
      batch.push(act(item));
      if (batch.length >= PAGE) await end();
    },
    end,
  };
}
