import type { DurableQueue, JournalEntry } from '@bowline/durable-queue';
import type { HeartbeatUp } from '@bowline/messages';
import type { ConfiguredApp, LinkStateName } from '@bowline/messages/hub/apps';
import { hashOf, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import type { LinkFailure } from '../connection/connection-state.ts';
import type { OrderDesk } from '../dispatcher/order-desk.ts';
import type { EventReporter } from '../event-reporter.ts';
import { changedApps, ConfigApps } from './config-apps.ts';
import type { ConfigRecords } from './config-records.ts';
import { Refusal, sentenceOf, versionError } from './config-refusal.ts';
import {
  judgeDocument,
  remainingMs,
  transition,
  type BootMoment,
  type ConfigError,
  type ConfigStep,
  type ConfigStepEvent,
  type OverrideTrial,
} from './config-step.ts';
import type { ConfigTargets } from './config-targets.ts';
import { ConfigUpkeep, type ConfigState } from './config-upkeep.ts';
import {
  ConfigWishes,
  type DocumentWish,
  type HowTried,
  type OverrideWish,
  type Wish,
} from './config-wishes.ts';
import { DurableSteps, TRY_AGAIN_MS, type ConfigEnd } from './durable-steps.ts';
import { LinkProof } from './link-proof.ts';
import type { OwnOverride } from './own-override.ts';

export interface ConfigLimits {
  keepDocuments: number;
  /** How long an app that has a section may be away before the document is refused, and how long the apps have to take it. */
  applyWithinMs: number;
  /** How long a change that carries the link has, if the order does not say. */
  confirmWithinMs: number;
}

/** What is in force, for hello and heartbeat (docs/configuration.md, Drift). */
export type ConfigSummary = Pick<HeartbeatUp, 'configVersion' | 'configSetHash'> & { configHash: string };

export interface ConfigPushPorts {
  queue: Pick<DurableQueue, 'commit' | 'unfinishedOrders' | 'order'>;
  records: ConfigRecords;
  targets: ConfigTargets;
  desk: Pick<OrderDesk, 'report'>;
  events: EventReporter;
  clock: Clock;
  /** Counts from the boot. */
  now(): BootMoment;
  log: Logger;
  limits(): ConfigLimits;
  /** Ends the link that stands, if one does, and makes a new one now. */
  renewLink(): void;
  /** Something new is in the outbox. */
  stored(): void;
  own: OwnOverride;
  /** Whether there is a link to lose. */
  isEnrolled(): boolean;
  /** Why the last attempt at a link failed. */
  lastLinkError(): LinkFailure | undefined;
  /** No document of the cloud is to begin now (config-hold.ts); what has begun goes on. What a person wants is refused earlier. */
  isHeld(): boolean;
}

type UnderWay = Exclude<ConfigStep, { phase: 'settled' }>;

const LONGEST_TRIAL_MS = 3_600_000;
const GATEWAY = 'ws-gateway';

/**
 * Brings all apps to a document, or none: all validate, then `started` and where it goes are durable, then all apply; if one
 * cannot, or a link that the change carries does not come up in time, all go back. What is durable says at any instant what
 * the apps are to have (config-step.ts), so whoever comes late, or starts after a crash, is brought to that.
 */
export class ConfigPush {
  readonly #ports: ConfigPushPorts;
  readonly #proof: LinkProof;
  readonly #apps: ConfigApps;
  readonly #steps: DurableSteps;
  readonly #upkeep: ConfigUpkeep;
  readonly #wishes: ConfigWishes;
  #running = false;
  /** There may be something to do that has not been looked at. */
  #woken = false;
  #stopped = false;

  constructor(ports: ConfigPushPorts) {
    this.#ports = ports;
    this.#proof = new LinkProof(ports.clock, ports.renewLink);
    this.#apps = new ConfigApps(ports.targets, ports.clock);
    this.#steps = new DurableSteps({ ...ports, keepDocuments: () => ports.limits().keepDocuments });
    this.#upkeep = new ConfigUpkeep(ports);
    this.#wishes = new ConfigWishes(ports.queue, ports.records);
  }

  /** Goes on where a crash left it. */
  async start(): Promise<void> {
    const { now, limits, records, targets, log } = this.#ports;
    const { applyWithinMs } = limits();
    await this.#move({ type: 'restarted', now: now(), applyWithinMs });
    const { step } = records;
    if (step.phase === 'returning')
      log.error({ version: step.version, errors: step.errors }, 'a configuration is taken back');
    // The others are brought to it when they register.
    if (step.phase === 'settled' && targets.isHere(GATEWAY)) this.#upkeep.bring(GATEWAY);
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** There is an order `config` in the journal, or one that was held may begin. */
  take(): void {
    this.#wake();
  }

  cancel({ status }: JournalEntry): 'cancelled' | 'too-late' {
    return status === 'started' ? 'too-late' : 'cancelled';
  }

  link(state: LinkStateName): void {
    this.#proof.link(state);
    // Time and again: the owner may have written something else.
    if (state === 'online' && this.#ports.records.step.phase === 'settled') this.#ports.own.forgetRefused();
  }

  /** Something is judged, or on its way to the apps or back. */
  get isUnderWay(): boolean {
    return this.#running || this.#ports.records.step.phase !== 'settled';
  }

  /** For hello and heartbeat. */
  get summary(): ConfigSummary {
    const { isUntouched, inForce, hash, setHash } = this.#ports.records;
    return {
      ...(isUntouched ? {} : { configVersion: inForce.version }),
      configHash: hash,
      ...(setHash === undefined ? {} : { configSetHash: setHash }),
    };
  }

  /** How long what is under way has; undefined if nothing is. */
  get remainingMs(): number | undefined {
    const { step } = this.#ports.records;
    return step.phase === 'applying' ? Math.round(remainingMs(step.until, this.#ports.now())) : undefined;
  }

  /** Goes back to a document that is kept, for a person at the device. @throws RejectedError `unknown-config-version`, `config-busy`. */
  rollback(version: number, how: HowTried = {}): Promise<ConfigEnd> {
    const end = this.#wishes.goBack(version, how);
    this.#wake();
    return end;
  }

  /** Takes the gateway's local override, which its owner has written. @throws RejectedError `config-busy` */
  override(override: Record<string, unknown>, how: HowTried = {}): Promise<ConfigEnd> {
    const end = this.#wishes.override(override, how);
    this.#wake();
    return end;
  }

  /** An app registered: it is brought to what is in force. */
  registered(app: ConfiguredApp): void {
    this.#apps.arrived(app);
    this.#upkeep.bring(app);
  }

  /** What an app is configured to. */
  heard(app: string, state: ConfigState): void {
    this.#upkeep.heard(app, state);
  }

  // ── One after the other ──────────────────────────────────────────────────────────────────────────────────────────

  #wake(): void {
    this.#woken = true;
    if (this.#running) return;
    this.#running = true;
    void this.#run().finally(() => (this.#running = false));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      const { step } = this.#ports.records;
      if (step.phase === 'applying') await this.#apply(step);
      else if (step.phase === 'returning') await this.#return(step);
      else {
        const wish = this.#wishes.next();
        const begun =
          wish !== undefined &&
          !this.#isHeld(wish) &&
          (await this.#begin(wish).catch((error) => this.#notNow(wish, error)));
        if (!begun && !this.#woken) return;
      }
    }
  }

  #isHeld({ entry }: Wish): boolean {
    const { isHeld, log } = this.#ports;
    if (entry === undefined || !isHeld()) return false;
    log.info({ orderId: entry.orderId }, 'a configuration waits until the update of Bowline is over');
    return true;
  }

  /** The order has ended otherwise (cancelled, expired): on with the next. Else it is tried again later. */
  #notNow(wish: Wish, error: unknown): boolean {
    if (!(error instanceof BowlineError)) throw error;
    const { clock, log } = this.#ports;
    if (this.#wishes.isOver(wish)) return true;
    const { code, message } = error;
    log.warn({ orderId: wish.entry?.orderId, code }, `a configuration has to wait: ${message}`);
    clock.after(TRY_AGAIN_MS, () => this.#wake());
    return false;
  }

  // ── Phase one: nothing is changed ────────────────────────────────────────────────────────────────────────────────

  async #begin(wish: Wish): Promise<true> {
    if (wish.override !== undefined) return this.#beginOverride(wish);
    const { records, clock, limits } = this.#ports;
    const { document, entry } = wish;
    const held = records.inForce;
    const same = hashOf(held.sections) === hashOf(document.sections);
    // A person may well go back to an older one.
    const byPerson = same ? 'unchanged' : 'new';
    const verdict = entry === undefined ? byPerson : judgeDocument(held.version, document.version, same);
    if (verdict === 'unchanged') return this.#unchanged(wish);
    if (verdict !== 'new') return this.#reject(wish, [versionError(held.version, document.version, verdict)]);

    let link: boolean;
    try {
      const untilMs = clock.monotonicMs() + limits().applyWithinMs;
      link = await this.#apps.validate(held.sections, document.sections, untilMs);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#reject(wish, error.errors);
    }
    await this.#start(wish, this.#needsLink(wish, link));
    return true;
  }

  /** What carries no link is in force once it is taken: it is on disk already, and the file is what counts. */
  async #beginOverride(wish: OverrideWish): Promise<true> {
    const { own, records } = this.#ports;
    const { override } = wish;
    const { version } = records.inForce;
    try {
      const { changes, link } = own.judge(override, this.#needsLink(wish, true));
      if (this.#needsLink(wish, link)) {
        const { confirmWithinMs } = wish;
        const trial = { to: override, from: own.inForce };
        await this.#start({ document: records.inForce, confirmWithinMs }, true, trial);
        return true;
      }
      const restarts = await own.take(override);
      this.heard(GATEWAY, own.hashes);
      if (link) this.#ports.renewLink();
      const status = changes ? 'applied' : 'unchanged';
      this.#wishes.ended({ version, status, errors: [], tried: false, restarts });
      if (restarts) setImmediate(() => own.restart()); // the answer goes first
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#wishes.ended({ version, status: 'rejected', errors: error.errors });
    }
    return true;
  }

  /** A person may know better, and before it is enrolled a device has no link to lose. */
  #needsLink({ entry, untried = false }: Wish, carriesLink: boolean): boolean {
    return carriesLink && (entry !== undefined || (!untried && this.#ports.isEnrolled()));
  }

  async #start(
    { document, entry, ...wish }: DocumentWish,
    needsLink: boolean,
    override?: OverrideTrial,
  ): Promise<void> {
    const { limits, now, log } = this.#ports;
    const { applyWithinMs, confirmWithinMs } = limits();
    const { version } = document;
    const moment = now();
    const confirmMs = Math.min(wish.confirmWithinMs ?? confirmWithinMs, LONGEST_TRIAL_MS);
    const withinMs = needsLink ? confirmMs : applyWithinMs;
    await this.#steps.begin(
      {
        type: 'begun',
        orderId: entry?.orderId,
        version,
        needsLink,
        until: { ...moment, monotonicMs: moment.monotonicMs + withinMs },
        ...(override === undefined ? {} : { override }),
      },
      override === undefined ? document : undefined,
      entry,
    );
    const what =
      override === undefined ? 'a configuration goes to the apps' : 'a local override is tried out';
    log.info({ version, needsLink, withinMs }, what);
  }

  async #unchanged(wish: DocumentWish): Promise<true> {
    const { document, entry } = wish;
    const { version } = document;
    if (entry?.status === 'received') await this.#steps.start(entry);
    const report = { status: 'succeeded', result: { version, unchanged: true } } as const;
    const renumbered = version === this.#ports.records.inForce.version ? undefined : document;
    await this.#steps.end(entry, { version, report, status: 'applied', errors: [] }, renumbered);
    return this.#ended(wish, { version, status: 'unchanged', errors: [] });
  }

  async #reject(wish: DocumentWish, errors: ConfigError[]): Promise<true> {
    const { document, entry } = wish;
    const { version } = document;
    const status = entry?.status === 'started' ? 'failed' : 'rejected';
    const report = { status, error: { code: 'config-refused', message: sentenceOf(errors) } } as const;
    await this.#steps.end(entry, { version, report, status: 'rejected', errors });
    return this.#ended(wish, { version, status: 'rejected', errors });
  }

  // ── Phase two ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #apply(step: Extract<ConfigStep, { phase: 'applying' }>): Promise<void> {
    const { log, now, clock, renewLink } = this.#ports;
    const { orderId, version, needsLink, override } = step;
    const untilMs = clock.monotonicMs() + remainingMs(step.until, now());
    try {
      const apps =
        override === undefined ? await this.#bringAll(step, untilMs) : await this.#takeOwn(override);
      // Whatever link or pause there is belongs to what the person went back from.
      if (orderId === undefined && !needsLink && apps.includes(GATEWAY)) renewLink();
      if (needsLink) await this.#prove(untilMs);
      await this.#finish(step, { type: 'reached' }, { status: 'succeeded', result: { version } });
      log.info({ version }, 'a configuration is in force');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.error({ version, errors: error.errors }, 'a configuration is taken back');
      await this.#move({ type: 'failed', errors: error.errors });
    }
  }

  /** The way back of the gateway's own override begins before it is durable, and begins again after a crash. */
  async #move(event: ConfigStepEvent): Promise<void> {
    const { records, own, renewLink } = this.#ports;
    const next = transition(records.step, event);
    if (next.phase === 'returning' && next.override !== undefined) {
      await own.goBack(next.override);
      this.heard(GATEWAY, own.hashes);
      renewLink();
    }
    await this.#steps.move(event);
  }

  /** The gateway comes last: what carries the link changes once all others have taken their part. */
  async #bringAll({ version, previous }: UnderWay, untilMs: number): Promise<ConfiguredApp[]> {
    const { records } = this.#ports;
    const [before, after] = [records.sections(previous) ?? {}, records.sections(version) ?? {}];
    const apps = changedApps(before, after).toSorted((a, b) => Number(a === GATEWAY) - Number(b === GATEWAY));
    for (const app of apps) {
      const hashes = await this.#apps.bring(app, { version, section: after[app] ?? {} }, untilMs);
      this.heard(app, hashes);
    }
    return apps;
  }

  async #takeOwn({ to }: OverrideTrial): Promise<ConfiguredApp[]> {
    const { own } = this.#ports;
    const restarts = await own.take(to);
    this.heard(GATEWAY, own.hashes);
    if (restarts) {
      own.restart();
      await new Promise(() => undefined); // it goes on from disk
    }
    return [GATEWAY];
  }

  /** @throws Refusal: no new link came to stand. */
  async #prove(untilMs: number): Promise<void> {
    const { lastLinkError } = this.#ports;
    const before = lastLinkError();
    if (await this.#proof.proven(untilMs)) return;
    const last = lastLinkError();
    const why = last === undefined || last === before ? '' : ` (${last.stage}: ${last.message})`;
    const message = `no new link came to stand in time under the new configuration${why}`;
    throw new Refusal([{ app: GATEWAY, key: '', message }]);
  }

  async #return(step: Extract<ConfigStep, { phase: 'returning' }>): Promise<void> {
    const { records, clock, limits, renewLink } = this.#ports;
    const { version, previous, needsLink, errors, override } = step;
    if (override !== undefined) return this.#returnOwn(step, override);
    const untilMs = clock.monotonicMs() + limits().applyWithinMs;
    const [before, after] = [records.sections(previous) ?? {}, records.sections(version) ?? {}];
    const takeBack = async (app: ConfiguredApp): Promise<void> => {
      const request = { version: previous, section: before[app] ?? {} };
      await this.#apps.bring(app, request, untilMs).then(
        (hashes) => this.heard(app, hashes),
        (error: unknown) => this.#notBack(app, previous, error),
      );
      // Under what was before; whoever is away must not keep the device from its cloud.
      if (app === GATEWAY && needsLink) renewLink();
    };
    await Promise.all(changedApps(before, after).map(takeBack));
    const error = { code: 'config-rolled-back', message: sentenceOf(errors) };
    await this.#finish(step, { type: 'returned' }, { status: 'failed', error });
  }

  async #returnOwn(
    step: Extract<ConfigStep, { phase: 'returning' }>,
    override: OverrideTrial,
  ): Promise<void> {
    const { own } = this.#ports;
    const why = sentenceOf(step.errors);
    await own.refuse(override, why);
    const error = { code: 'config-rolled-back', message: why };
    await this.#finish(step, { type: 'returned' }, { status: 'failed', error });
    own.restartIfNeeded();
  }

  /** It is brought back when it can be, and the cloud hears of it. */
  async #notBack(app: ConfiguredApp, version: number, error: unknown): Promise<void> {
    if (!(error instanceof Refusal)) throw error;
    const { log, events, targets } = this.#ports;
    log.error({ app, version, errors: error.errors }, 'an app did not take back a configuration in time');
    if (targets.isHere(app)) this.#upkeep.bringLater(app);
    await events.report('config-refused', 'error', { app, version, errors: error.errors });
  }

  async #finish({ orderId }: UnderWay, ...end: Parameters<DurableSteps['finish']>): Promise<void> {
    const ended = await this.#steps.finish(...end);
    if (orderId === undefined && ended !== undefined) this.#wishes.ended(ended);
  }

  /** Only a person waits for it: the cloud has been told. */
  #ended({ entry }: Wish, end: ConfigEnd): true {
    if (entry === undefined) this.#wishes.ended(end);
    return true;
  }
}
