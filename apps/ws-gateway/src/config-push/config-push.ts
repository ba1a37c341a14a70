import type { DurableQueue, JournalEntry, NewMessage, WriteBatch } from '@bowline/durable-queue';
import type { DownlinkPayload, UplinkPayload } from '@bowline/messages';
import type { ConfiguredApp, LinkStateName } from '@bowline/messages/hub/apps';
import { checkOutgoing } from '@bowline/messages/outgoing';
import { hashOf, wait, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import type { OrderDesk } from '../dispatcher/order-desk.ts';
import type { OrderReport } from '../dispatcher/order-state.ts';
import type { EventReporter } from '../event-reporter.ts';
import { newMessage } from '../sender/new-message.ts';
import { changedApps, ConfigApps } from './config-apps.ts';
import type { ConfigDocument, ConfigRecords, KeptDocument } from './config-records.ts';
import { cut, MOST_ERRORS, Refusal, sentenceOf, versionError } from './config-refusal.ts';
import {
  judgeDocument,
  remainingMs,
  transition,
  type BootMoment,
  type ConfigError,
  type ConfigStep,
  type ConfigStepEvent,
} from './config-step.ts';
import type { ConfigTargets } from './config-targets.ts';
import { LinkProof } from './link-proof.ts';

export interface ConfigLimits {
  keepDocuments: number;
  /** How long an app that has a section may be away before the document is refused, and how long the apps have to take it. */
  applyWithinMs: number;
  /** How long a change that carries the link has, if the order does not say. */
  confirmWithinMs: number;
}

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
}

/** How a document ended. */
export interface ConfigEnd {
  version: number;
  status: 'applied' | 'unchanged' | 'rejected' | 'rolledBack';
  errors: ConfigError[];
}

type Also = Pick<WriteBatch, 'config' | 'enqueue'>;

/** What the cloud or a person wants: one document, and who is to be told how it ended. */
interface Wish {
  document: ConfigDocument;
  /** The order's entry; absent: a person at the device. */
  entry?: JournalEntry;
  confirmWithinMs?: number | undefined;
  ended?: (end: ConfigEnd) => void;
}

/** A refusal by the store, or an order whose time is not known yet: tried again after this. */
const TRY_AGAIN_MS = 5000;
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
  /** Asked for by people at the device. */
  readonly #wishes: Wish[] = [];
  #running = false;
  /** There may be something to do that has not been looked at. */
  #woken = false;
  #stopped = false;

  constructor(ports: ConfigPushPorts) {
    this.#ports = ports;
    this.#proof = new LinkProof(ports.clock, ports.renewLink);
    this.#apps = new ConfigApps(ports.targets, ports.clock);
  }

  /** Goes on where a crash left it. */
  async start(): Promise<void> {
    const { now, limits } = this.#ports;
    const { applyWithinMs } = limits();
    await this.#move({ type: 'restarted', now: now(), applyWithinMs });
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** There is an order `config` in the journal. */
  take(): void {
    this.#wake();
  }

  cancel({ status }: JournalEntry): 'cancelled' | 'too-late' {
    return status === 'started' ? 'too-late' : 'cancelled';
  }

  link(state: LinkStateName): void {
    this.#proof.link(state);
  }

  /** For hello and heartbeat. */
  get summary(): { configVersion?: number; configHash: string } {
    const { records } = this.#ports;
    if (records.isUntouched) return { configHash: records.hash };
    return { configVersion: records.inForce.version, configHash: records.hash };
  }

  /** How long what is under way has; undefined if nothing is. */
  get remainingMs(): number | undefined {
    const { step } = this.#ports.records;
    return step.phase === 'applying' ? Math.round(remainingMs(step.until, this.#ports.now())) : undefined;
  }

  /**
   * Goes back to a document that is kept. A person does this who stands at the device: it is not tried out first.
   *
   * @throws RejectedError `unknown-config-version`, `config-busy`.
   */
  rollback(version: number): Promise<ConfigEnd> {
    const { records } = this.#ports;
    const sections = records.sections(version);
    if (sections === undefined) {
      throw new RejectedError(
        'unknown-config-version',
        `no document ${version} is kept: see bowline config history`,
      );
    }
    if (records.step.phase !== 'settled' || this.#wishes.length > 0) {
      throw new RejectedError('config-busy', 'another document is under way: wait for its end');
    }
    return new Promise((ended) => {
      this.#wishes.push({ document: { version, sections }, ended });
      this.#wake();
    });
  }

  /** An app registered: it is brought to what is in force. */
  registered(app: ConfiguredApp): void {
    this.#apps.arrived(app);
    const { records, targets, log, events } = this.#ports;
    if (records.isUntouched) return;
    const { version, sections } = records.inForce;
    const section = sections[app] ?? {};
    targets
      .apply(app, { version, section })
      .then(async ({ faults, hash }) => {
        if (faults.length === 0) return this.heard(app, { hash });
        const errors = faults.map((fault) => ({ app, ...fault }));
        log.error({ app, version, errors }, 'an app that came back does not take its configuration');
        await events.report('config-refused', 'error', { app, version, errors });
      })
      .catch((error: unknown) => {
        const { code } = error instanceof BowlineError ? error : { code: 'internal' };
        // An app that knows no configuration has none to be brought to.
        if (code === 'unsupported' && Object.keys(section).length === 0) return;
        log.warn({ app, version, code, error }, 'an app could not be brought to its configuration');
      });
  }

  /** What an app is configured to. */
  heard(app: string, { hash, problem }: { hash: string; problem?: string | undefined }): void {
    const { records, queue, events, log } = this.#ports;
    if (problem !== undefined) log.error({ app, problem }, "an app has set its cloud's configuration aside");
    const config = records.heard(app, hash);
    if (config === undefined) return;
    records.wrote(config);
    void events.unlessRefused(queue.commit({ config }), 'hash of a configuration');
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
        const wish = this.#next();
        const begun =
          wish !== undefined && (await this.#begin(wish).catch((error) => this.#notNow(wish, error)));
        if (!begun && !this.#woken) return;
      }
    }
  }

  #next(): Wish | undefined {
    const [wish] = this.#wishes;
    if (wish !== undefined) return wish;
    const entry = this.#ports.queue.unfinishedOrders().find(({ type }) => type === 'config');
    if (entry === undefined) return undefined;
    const { version, sections, confirmWithinMs } = JSON.parse(entry.payloadJson) as DownlinkPayload<'config'>;
    return { document: { version, sections }, entry, confirmWithinMs };
  }

  /** The order has ended otherwise (cancelled, expired): on with the next. Else it is tried again later. */
  #notNow({ entry }: Wish, error: unknown): boolean {
    if (!(error instanceof BowlineError)) throw error;
    const { clock, log, queue } = this.#ports;
    if (entry !== undefined && queue.order(entry.orderId)?.endedAt !== undefined) return true;
    log.warn({ orderId: entry?.orderId, code: error.code }, `a configuration has to wait: ${error.message}`);
    clock.after(TRY_AGAIN_MS, () => this.#wake());
    return false;
  }

  // ── Phase one: nothing is changed ────────────────────────────────────────────────────────────────────────────────

  async #begin(wish: Wish): Promise<true> {
    const { records, clock, now, limits, log } = this.#ports;
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
    const { applyWithinMs, confirmWithinMs } = limits();
    const needsLink = link && entry !== undefined;
    const moment = now();
    const confirmMs = Math.min(wish.confirmWithinMs ?? confirmWithinMs, LONGEST_TRIAL_MS);
    const withinMs = needsLink ? confirmMs : applyWithinMs;
    await this.#move(
      {
        type: 'begun',
        orderId: entry?.orderId,
        version: document.version,
        needsLink,
        until: { ...moment, monotonicMs: moment.monotonicMs + withinMs },
      },
      {
        document: this.#kept(document, 'applying'),
        report: { status: 'started', attempt: (entry?.attempt ?? 0) + 1 },
      },
    );
    log.info({ version: document.version, needsLink, withinMs }, 'a configuration goes to the apps');
    return true;
  }

  async #unchanged(wish: Wish): Promise<true> {
    const { records } = this.#ports;
    const { document, entry } = wish;
    const held = records.inForce.version;
    const result = { version: document.version, unchanged: true };
    if (entry?.status === 'received')
      await this.#report(entry, { status: 'started', attempt: entry.attempt + 1 });
    const step: ConfigStep = { phase: 'settled', version: document.version };
    // Only its number is new: no app hears of it.
    const writes =
      document.version === held
        ? undefined
        : records.move(step, this.#ports.limits().keepDocuments, this.#kept(document, 'applied'));
    await this.#tell(wish, { status: 'succeeded', result }, 'applied', [], writes);
    this.#ended(wish, { version: document.version, status: 'unchanged', errors: [] });
    return true;
  }

  async #reject(wish: Wish, errors: ConfigError[]): Promise<true> {
    const { document, entry } = wish;
    const status = entry?.status === 'started' ? 'failed' : 'rejected';
    const error = { code: 'config-refused', message: sentenceOf(errors) };
    await this.#tell(wish, { status, error }, 'rejected', errors);
    this.#ended(wish, { version: document.version, status: 'rejected', errors });
    return true;
  }

  // ── Phase two ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #apply(step: Extract<ConfigStep, { phase: 'applying' }>): Promise<void> {
    const { records, log, now, clock } = this.#ports;
    const { version, previous, needsLink } = step;
    const untilMs = clock.monotonicMs() + remainingMs(step.until, now());
    const [before, after] = [records.sections(previous) ?? {}, records.sections(version) ?? {}];
    try {
      // The gateway comes last: what carries the link changes once all others have taken their part.
      const apps = changedApps(before, after).toSorted(
        (a, b) => Number(a === GATEWAY) - Number(b === GATEWAY),
      );
      for (const app of apps) {
        const hash = await this.#apps.bring(app, { version, section: after[app] ?? {} }, untilMs);
        this.heard(app, { hash });
      }
      if (needsLink && !(await this.#proof.proven(untilMs))) {
        const message = 'no new link came to stand in time under the new configuration';
        throw new Refusal([{ app: GATEWAY, key: '', message }]);
      }
      await this.#finish({ type: 'reached' }, { status: 'succeeded', result: { version } });
      log.info({ version }, 'a configuration is in force');
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      log.error({ version, errors: error.errors }, 'a configuration is taken back');
      await this.#move({ type: 'failed', errors: error.errors });
    }
  }

  async #return(step: Extract<ConfigStep, { phase: 'returning' }>): Promise<void> {
    const { records, targets, log, events } = this.#ports;
    const { version, previous, needsLink, errors } = step;
    const [before, after] = [records.sections(previous) ?? {}, records.sections(version) ?? {}];
    for (const app of changedApps(before, after)) {
      // Whoever is away is brought to it when it registers.
      if (!targets.isHere(app)) continue;
      try {
        const { faults, hash } = await targets.apply(app, { version: previous, section: before[app] ?? {} });
        this.heard(app, { hash });
        if (faults.length > 0)
          await events.report('config-refused', 'error', { app, version: previous, faults });
      } catch (error) {
        if (!(error instanceof BowlineError)) throw error;
        log.warn(
          { app, code: error.code },
          'an app did not take back a configuration: it will when it registers',
        );
      }
    }
    if (needsLink) this.#ports.renewLink();
    const error = { code: 'config-rolled-back', message: sentenceOf(errors) };
    await this.#finish({ type: 'returned' }, { status: 'failed', error });
  }

  // ── What is durable ──────────────────────────────────────────────────────────────────────────────────────────────

  /** The end of what is under way: where the device stands, the order's end and the report are one transaction. */
  async #finish(event: ConfigStepEvent, report: Omit<OrderReport, 'at'>): Promise<void> {
    const { records } = this.#ports;
    const { step } = records;
    if (step.phase === 'settled') return;
    const errors = step.phase === 'returning' ? step.errors : [];
    const status = step.phase === 'returning' ? 'rolledBack' : 'applied';
    const writes = records.move(transition(step, event), this.#ports.limits().keepDocuments);
    const entry = step.orderId === undefined ? undefined : this.#ports.queue.order(step.orderId);
    const wish = {
      document: { version: step.version, sections: {} },
      ...(entry === undefined ? {} : { entry }),
    };
    await this.#tell(wish, report, status, errors, writes);
    const asked = step.orderId === undefined ? this.#wishes[0] : undefined;
    if (asked !== undefined) this.#ended(asked, { version: step.version, status, errors });
  }

  async #move(
    event: ConfigStepEvent,
    more: {
      document?: (ConfigDocument & Omit<KeptDocument, 'apps'>) | undefined;
      report?: Omit<OrderReport, 'at'>;
    } = {},
  ): Promise<void> {
    const { records, queue } = this.#ports;
    const { step } = records;
    const next = transition(step, event);
    if (next === step) return;
    const config = records.move(next, this.#ports.limits().keepDocuments, more.document);
    const orderId = event.type === 'begun' ? event.orderId : undefined;
    const entry = orderId === undefined ? undefined : queue.order(orderId);
    if (entry !== undefined && more.report !== undefined) await this.#report(entry, more.report, { config });
    else await this.#durably(() => queue.commit({ config }));
    records.wrote(config);
  }

  /** A full store makes it wait. */
  async #durably(write: () => Promise<unknown>): Promise<void> {
    const { clock, log } = this.#ports;
    for (;;) {
      try {
        return void (await write());
      } catch (error) {
        if (!(error instanceof BowlineError) || !WAITED_FOR.includes(error.code)) throw error;
        log.warn({ code: error.code }, 'a configuration waits for room in the store');
        await wait(clock, TRY_AGAIN_MS);
      }
    }
  }

  /** No document is nothing to keep. */
  #kept(document: ConfigDocument, outcome: KeptDocument['outcome']) {
    return document.version === 0 ? undefined : { ...document, at: this.#ports.clock.wallMs(), outcome };
  }

  /** The end, for whoever asked, and the report to the cloud. */
  async #tell(
    { document, entry }: Wish,
    report: Omit<OrderReport, 'at'>,
    status: UplinkPayload<'configReport'>['status'],
    errors: readonly ConfigError[],
    config: WriteBatch['config'] = {},
  ): Promise<void> {
    const { queue, records, stored } = this.#ports;
    await this.#durably(() => {
      const message = this.#reportOf(document.version, status, errors);
      const also: Also = { config, enqueue: [{ lane: 'events', messages: [message] }] };
      return entry === undefined ? queue.commit(also) : this.#report(entry, report, also);
    });
    records.wrote(config);
    stored();
  }

  #reportOf(
    version: number,
    status: UplinkPayload<'configReport'>['status'],
    errors: readonly ConfigError[],
  ): NewMessage {
    const { records, clock } = this.#ports;
    const report: UplinkPayload<'configReport'> = {
      version,
      status,
      hash: records.hash,
      ...(errors.length === 0 ? {} : { errors: errors.slice(0, MOST_ERRORS).map(cut) }),
    };
    return newMessage('configReport', checkOutgoing('configReport', report), clock.wallMs());
  }

  async #report({ orderId }: JournalEntry, report: Omit<OrderReport, 'at'>, also: Also = {}): Promise<void> {
    const { desk, clock } = this.#ports;
    await desk.report(GATEWAY, orderId, { ...report, at: clock.wallMs() }, also);
  }

  #ended(wish: Wish, end: ConfigEnd): void {
    const index = this.#wishes.indexOf(wish);
    if (index >= 0) this.#wishes.splice(index, 1);
    wish.ended?.(end);
  }
}

/** Refusals of the store that go away by themselves. */
const WAITED_FOR = ['lane-full', 'disk-full', 'store-busy'];
