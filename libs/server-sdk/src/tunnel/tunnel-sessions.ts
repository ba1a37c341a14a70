import type { Clock } from '@bowline/runtime/clock';
import { TransientError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { keys } from '../store/keys.ts';
import { parse, put, remove, within, type ServerStore } from '../store/server-store.ts';
import { hashOfToken, newTunnelToken, type TunnelRecord } from './tunnel-record.ts';

export interface NewTunnel {
  deviceId: string;
  operator: string;
  expiresInMs: number;
  streams: number;
  user?: string;
  reason?: string;
}

/** The only time that the tokens are told. */
export interface CreatedTunnel {
  record: TunnelRecord;
  deviceToken: string;
  operatorToken: string;
}

export interface TunnelLimits {
  /** Sessions that have not ended. */
  maxSessions: number;
  /** Those that ended are known, and answered 4410, for this long. */
  keepEndedMs: number;
}

interface Held {
  record: TunnelRecord;
  /** Since boot: neither a jump of the wall clock nor a machine that was put to sleep makes a session longer. */
  endsAtMs: number;
}

/** Which sessions there are, durably: the server may be killed while one goes on. */
export class TunnelSessions {
  readonly #store: ServerStore;
  readonly #clock: Clock;
  readonly #limits: TunnelLimits;
  readonly #held = new Map<string, Held>();

  constructor(store: ServerStore, clock: Clock, limits: TunnelLimits) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    for (const { value } of store.range(within(keys.tunnels))) {
      const record = parse<TunnelRecord>(value);
      this.#held.set(record.sessionId, { record, endsAtMs: this.#endOf(record) });
    }
  }

  /** @throws TransientError `too-many-sessions` */
  async create({ expiresInMs, ...wanted }: NewTunnel): Promise<CreatedTunnel> {
    this.#forgetEnded();
    if (this.live().length >= this.#limits.maxSessions)
      throw new TransientError('too-many-sessions', `${this.#limits.maxSessions} sessions are open already`);
    const [deviceToken, operatorToken] = [newTunnelToken(), newTunnelToken()];
    const createdAt = Math.round(this.#clock.wallMs());
    const record: TunnelRecord = {
      sessionId: newId(),
      ...wanted,
      createdAt,
      expiresAt: createdAt + expiresInMs,
      deviceToken: hashOfToken(deviceToken),
      operatorToken: hashOfToken(operatorToken),
      opened: 0,
      bytesUp: 0,
      bytesDown: 0,
    };
    this.#held.set(record.sessionId, { record, endsAtMs: this.#endOf(record) });
    await this.#store.write([put(keys.tunnel(record.sessionId), record)]);
    return { record, deviceToken, operatorToken };
  }

  get(sessionId: string): TunnelRecord | undefined {
    return this.#held.get(sessionId)?.record;
  }

  /** Whether it may still be used. */
  isLive(sessionId: string): boolean {
    const held = this.#held.get(sessionId);
    return held !== undefined && held.record.ended === undefined && held.endsAtMs > this.#clock.sinceBootMs();
  }

  /** Oldest first. */
  live(): TunnelRecord[] {
    return [...this.#held.values()]
      .map(({ record }) => record)
      .filter(({ sessionId }) => this.isLive(sessionId));
  }

  /** @returns when it is on disk. Nothing extends the expiry. */
  update(record: TunnelRecord): Promise<void> {
    const held = this.#held.get(record.sessionId);
    if (held !== undefined) held.record = record;
    return this.#store.write([put(keys.tunnel(record.sessionId), record)]);
  }

  #endOf({ expiresAt }: TunnelRecord): number {
    return this.#clock.sinceBootMs() + expiresAt - this.#clock.wallMs();
  }

  #forgetEnded(): void {
    const oldest = this.#clock.wallMs() - this.#limits.keepEndedMs;
    const gone = [...this.#held.values()].filter(
      ({ record: { sessionId, ended, expiresAt } }) =>
        !this.isLive(sessionId) && (ended?.at ?? expiresAt) < oldest,
    );
    for (const { record } of gone) this.#held.delete(record.sessionId);
    if (gone.length > 0)
      void this.#store.write(gone.map(({ record }) => remove(keys.tunnel(record.sessionId))));
  }
}
