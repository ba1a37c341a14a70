import { signLinkToken } from '@bowline/identity';
import { UPLINK_LANES, type Hello, type Welcome } from '@bowline/messages';
import type { LinkAttempt } from '@bowline/messages/hub';
import { BowlineError } from '@bowline/runtime/errors';
import { wait } from '@bowline/runtime';
import type { GatewayConfig } from '../config.ts';
import type { LinkIdentity } from '../identity/device-identity.ts';
import type { SigningTime } from '../identity/signing-time.ts';
import { queueSummary } from '../sender/send-heartbeat.ts';
import type { CertificateValidity } from '../trusted-time.ts';
import { AttemptLog } from './attempt-log.ts';
import { NOT_ENCRYPTED, openSocket } from './client.ts';
import {
  transition,
  type ConnectionEvent,
  type ConnectionState,
  type LinkFailure,
} from './connection-state.ts';
import { afterEnd, NO_POISON, type PoisonWatch } from './poison.ts';
import { LinkError } from './link-error.ts';
import { nextAttempt, type LinkEnd } from './reconnect.ts';
import { LinkSession, type SessionEnd, type SessionPorts } from './session.ts';
import type { Disturbance } from './surroundings.ts';

export interface ConnectionPorts extends Omit<SessionPorts, 'hello' | 'onWelcome' | 'limits' | 'poison'> {
  config: GatewayConfig;
  signingTime: SigningTime;
  bootId: string;
  agentVersion: string;
  /** Who the device is; enrols first where it must. Throws LinkError stage `enrol`, ConfigError. */
  identity(): Promise<LinkIdentity>;
  onState(state: ConnectionState): void;
  /** What proves the server of the link that comes now; undefined without TLS. */
  provenBy(certificate: CertificateValidity | undefined): void;
  /** For hello. */
  capabilities(): string[];
  /** The link is gone: what it parked is forgotten. */
  onLost(): void;
}

/** Where the count of failed attempts survives a restart of the process (protocol, section 6). */
const ATTEMPTS_KEY = 'link.attempts';
/** Frames between the agreed size and this are refused one by one; larger ones close the link before they are read. */
const HARD_FRAME_BYTES = 4 * 2 ** 20;

/** The public face of the link: `connect()` keeps it up for good, `disconnect()` ends it. */
export class Connection {
  readonly #ports: ConnectionPorts;
  readonly #stopping = new AbortController();
  readonly #log: AttemptLog;
  /** Ends the wait for the next attempt early. */
  #hurry = new AbortController();
  #mayHurry = false;
  #state: ConnectionState;
  #session: LinkSession | undefined;
  #reconnect = { minMs: 0, maxMs: 1000 };
  #signedAnew = false;
  #uncounted = 0;
  #poison: PoisonWatch = NO_POISON;
  #sessionId: string | undefined;
  #server: string | undefined;
  #loop: Promise<void> | undefined;
  /** Counts up when the device has become another: what was begun before that is of no use. */
  #generation = 0;

  constructor(ports: ConnectionPorts) {
    this.#ports = ports;
    this.#log = new AttemptLog(ports.queue, ports.events);
    const attempts = Number(ports.queue.meta(ATTEMPTS_KEY) ?? 0);
    this.#state = { name: 'offline', since: ports.clock.wallMs(), attempts };
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get online(): boolean {
    return this.#session?.online ?? false;
  }

  get roundTripMs(): number | undefined {
    return this.#session?.roundTripMs;
  }

  /** URL of the link, once the device is enrolled. */
  get server(): string | undefined {
    return this.#server;
  }

  /** Something new is in the outbox. */
  pump(): void {
    this.#session?.pump();
  }

  /** Orders became durable, or came again. */
  receiptOrders(): void {
    this.#session?.receiptOrders();
  }

  sendLive(text: string): void {
    this.#session?.sendLive(text);
  }

  attemptLog(): LinkAttempt[] {
    return this.#log.all();
  }

  /**
   * Something around the link changed: a link that is up is probed and, if it does not answer, made anew; an attempt that
   * waits for no better reason than a failure is made now.
   */
  disturbed(what: Disturbance): void {
    this.#ports.counters.add(`link.${what}`);
    this.#ports.log.info({ what }, 'surroundings changed');
    this.#session?.probe();
    if (this.#mayHurry) this.#hurry.abort();
  }

  /** The device has become another, or is configured anew: whatever link or attempt there is belongs to what it was. */
  renew(reason: string): void {
    this.#generation += 1;
    this.#session?.close(1001, reason);
    this.#hurry.abort();
  }

  connect(): void {
    this.#loop ??= this.#keepUp();
  }

  async disconnect(): Promise<void> {
    this.#enter({ type: 'draining' });
    this.#stopping.abort();
    this.#session?.close(1001, 'the device is stopping');
    await this.#loop;
  }

  async #keepUp(): Promise<void> {
    const { clock, log } = this.#ports;
    while (!this.#stopping.signal.aborted) {
      const startedAtMs = clock.monotonicMs();
      const generation = this.#generation;
      const { end, stage, code, message, serverTime } = await this.#attempt();
      const lastedMs = Math.round(clock.monotonicMs() - startedAtMs);
      this.#ports.onLost();
      if (this.#stopping.signal.aborted) break;
      if (serverTime !== undefined) this.#ports.signingTime.told(serverTime);
      if (generation === this.#generation) {
        const delayMs = await this.#plan(end, { at: clock.wallMs(), stage, code, message, lastedMs });
        log.warn(
          { stage, code, detail: message, delayMs: Math.round(delayMs), attempts: this.#state.attempts },
          'link is down: will try again',
        );
        if (generation === this.#generation) await this.#pause(delayMs, end.kind === 'failed');
      }
      if (generation !== this.#generation) {
        this.#beginAnew();
        this.#enter({ type: 'lost', attempts: 0 });
      }
    }
    this.#enter({ type: 'lost', attempts: this.#state.attempts });
  }

  /** One attempt and, if it succeeds, the whole life of the link. */
  async #attempt(): Promise<SessionEnd & { serverTime?: number }> {
    const { config, clock, log, signingTime } = this.#ports;
    const generation = this.#generation;
    this.#enter({ type: 'attempt' });
    try {
      const { key, enrolment, tls, proxy } = await this.#ports.identity();
      const url = config.link.url ?? enrolment.link;
      this.#server = url;
      if (!url.startsWith('wss://') && !config.link.allowInsecure) {
        const message = `${url} is not wss: set link.allowInsecure only on a network that you trust`;
        throw new LinkError('insecure-url', message, { stage: 'enrol' });
      }
      if (!url.startsWith('wss://')) log.warn({ url }, NOT_ENCRYPTED);
      const { deviceId, serverId } = enrolment;
      const session = await openSocket({
        url,
        token: await signLinkToken(key, { deviceId, serverId, nowMs: signingTime.nowMs() }),
        clock,
        deadlineMs: config.link.connectDeadlineMs,
        maxPayload: HARD_FRAME_BYTES,
        compression: config.link.compression,
        signal: this.#stopping.signal,
        tls,
        proxy,
        onUpgrading: (certificate) => {
          this.#ports.provenBy(certificate);
          this.#enter({ type: 'upgrading' });
        },
        attach: (socket) =>
          new LinkSession(socket, {
            ...this.#ports,
            limits: { ...config.link, frameBytes: config.downlink.frameBytes },
            poison: this.#poison,
            hello: () => this.#hello(deviceId),
            onWelcome: (welcome) => this.#welcomed(welcome),
          }),
      });
      this.#session = session;
      this.#enter({ type: 'upgraded' });
      session.start();
      if (this.#stopping.signal.aborted) session.close(1001, 'the device is stopping');
      if (generation !== this.#generation) session.close(1001, 'begun before the device became another');
      const ended = await session.ended;
      this.#poison = afterEnd(session.poison, ended.end, session.suspects(ended.namedId));
      return ended;
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      const link = error instanceof LinkError ? error : undefined;
      return {
        end: endOf(link),
        stage: link?.stage ?? 'enrol',
        code: error.code,
        message: error.message,
        ...(link?.serverTime === undefined ? {} : { serverTime: link.serverTime }),
      };
    } finally {
      this.#session = undefined;
    }
  }

  #hello(deviceId: string): Hello {
    const { queue, config } = this.#ports;
    const lanes = queue.lanes();
    const { received, serverEpoch } = queue.downlink();
    return {
      deviceId,
      bootId: this.#ports.bootId,
      ...(this.#sessionId === undefined ? {} : { sessionId: this.#sessionId }),
      epoch: queue.epoch,
      agentVersion: this.#ports.agentVersion,
      capabilities: this.#ports.capabilities(),
      lanes: Object.fromEntries(
        UPLINK_LANES.map((lane) => [lane, { first: lanes[lane].first, next: lanes[lane].next }]),
      ) as Hello['lanes'],
      received,
      ...(serverEpoch === undefined ? {} : { serverEpoch }),
      limits: { ...config.downlink },
      queue: queueSummary(queue),
      ...this.#ports.configuration(),
    };
  }

  #welcomed({ sessionId, reconnect, resumed }: Welcome): void {
    const { clock, log, config } = this.#ports;
    this.#sessionId = sessionId;
    this.#reconnect = { ...reconnect };
    this.#enter({ type: 'welcomed', sessionId });
    log.info({ sessionId, resumed, server: this.#server }, 'online');
    const session = this.#session;
    clock.after(config.link.stableAfterMs, () => {
      if (session === undefined || this.#session !== session) return;
      this.#beginAnew();
      this.#enter({ type: 'stable' });
      void this.#storeAttempts(0);
    });
  }

  /** What went wrong before says nothing about what comes. */
  #beginAnew(): void {
    this.#signedAnew = false;
    this.#uncounted = 0;
  }

  /** @param mayHurry whether a change of the network is a reason to try sooner; what the server told is kept. */
  async #pause(delayMs: number, mayHurry: boolean): Promise<void> {
    this.#hurry = new AbortController();
    this.#mayHurry = mayHurry;
    const signal = AbortSignal.any([this.#stopping.signal, this.#hurry.signal]);
    await wait(this.#ports.clock, delayMs, signal).catch(() => undefined);
    this.#mayHurry = false;
  }

  async #plan(end: LinkEnd, attempt: LinkAttempt & LinkFailure): Promise<number> {
    const { config, clock, random, events } = this.#ports;
    const verdict = nextAttempt({
      end,
      attempts: this.#state.attempts,
      uncounted: this.#uncounted,
      signedAnew: this.#signedAnew,
      random: random(),
      reconnect: this.#reconnect,
      baseMs: config.link.backoffBaseMs,
      capMs: config.link.backoffCapMs,
    });
    this.#signedAnew = verdict.signAnew;
    this.#uncounted = verdict.uncounted;
    const { lastedMs: _, ...error } = attempt;
    const retryAtMonotonicMs = clock.monotonicMs() + verdict.delayMs;
    this.#enter({ type: 'lost', attempts: verdict.attempts, error, retryAtMonotonicMs });
    await this.#log.add(attempt, { [ATTEMPTS_KEY]: String(verdict.attempts) });
    if (verdict.alarm !== undefined) {
      this.#ports.counters.add(`link.${verdict.alarm}`);
      await events.report(verdict.alarm, 'critical', { ...error });
    }
    return verdict.delayMs;
  }

  async #storeAttempts(attempts: number): Promise<void> {
    const { queue, events } = this.#ports;
    if (Number(queue.meta(ATTEMPTS_KEY) ?? 0) === attempts) return;
    await events.unlessRefused(
      queue.commit({ meta: { [ATTEMPTS_KEY]: String(attempts) } }),
      'count of attempts',
    );
  }

  #enter(event: ConnectionEvent): void {
    const next = transition(this.#state, event, this.#ports.clock.wallMs());
    if (next === this.#state) return;
    this.#state = next;
    this.#ports.onState(next);
  }
}

function endOf(error: LinkError | undefined): LinkEnd {
  if (error?.status === undefined) return { kind: 'failed' };
  const { stage, status, retryAfterMs } = error;
  const mayHelpLater = status === 429 || status >= 500;
  if (stage === 'enrol' && !mayHelpLater)
    return { kind: 'enrolment-refused', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return { kind: 'refused', status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}
