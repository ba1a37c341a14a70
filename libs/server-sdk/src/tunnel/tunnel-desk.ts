import type { Logger } from '@bowline/runtime';
import type { Clock } from '@bowline/runtime/clock';
import type { TunnelEnd } from '@bowline/tunnel';
import { CLOSE } from '../link/close-codes.ts';
import { pairEnds, type PairedBytes } from './tunnel-pair.ts';
import {
  afterAttach,
  afterPairing,
  hashOfToken,
  isTunnelToken,
  newTunnelToken,
  type TunnelRecord,
} from './tunnel-record.ts';
import type { TunnelSessions } from './tunnel-sessions.ts';

/** Something that happened to a session, for the audit log: no byte of what went through. */
export interface TunnelReport {
  action: 'tunnel.open' | 'tunnel.close' | 'tunnel.end';
  record: TunnelRecord;
  /** Address of the operator's client. */
  from?: string;
  stream?: number;
  bytes?: PairedBytes;
  by?: string;
}

export interface TunnelDeskPorts {
  sessions: TunnelSessions;
  clock: Clock;
  log: Logger;
  report: (report: TunnelReport) => void;
}

/** Until it is paired, its device has nothing to say. */
interface Standby {
  end: TunnelEnd;
  isPaired: boolean;
}

interface Place {
  standby?: Standby;
  readonly pairs: Set<{ close(code: number): void }>;
  /** Operators that are let in and wait for a socket that stands by. */
  reserved: number;
  readonly waiting: Set<() => void>;
}

/** Who stands by, who is paired with whom, and which token that takes. */
export class TunnelDesk {
  readonly #ports: TunnelDeskPorts;
  readonly #maxWaitingBytes: number;
  readonly #places = new Map<string, Place>();
  #counted: Promise<void> = Promise.resolve();

  constructor(ports: TunnelDeskPorts, maxWaitingBytes: number) {
    this.#ports = ports;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  isGood(record: TunnelRecord, side: 'device' | 'operator', hash: string): boolean {
    return side === 'operator'
      ? isTunnelToken(hash, record.operatorToken)
      : afterAttach(record, hash, hash) !== undefined;
  }

  openStreams(sessionId: string): number {
    return this.#places.get(sessionId)?.pairs.size ?? 0;
  }

  isReady(sessionId: string): boolean {
    return this.#places.get(sessionId)?.standby !== undefined;
  }

  mayOpen({ sessionId, streams }: TunnelRecord): boolean {
    const place = this.#places.get(sessionId);
    return place === undefined || place.pairs.size + place.reserved < streams;
  }

  /** Keeps a stream for an operator who waits. @returns gives it back. */
  reserve(sessionId: string): () => void {
    const place = this.#placeOf(sessionId);
    place.reserved += 1;
    return () => {
      place.reserved -= 1;
      this.#wakeNext(place); // this one may have gone without the socket that it was told of
      this.#tidy(sessionId);
    };
  }

  whenReady(sessionId: string, signal: AbortSignal): Promise<boolean> {
    const place = this.#placeOf(sessionId);
    if (place.standby !== undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = () => {
        place.waiting.delete(done);
        resolve(!signal.aborted && place.standby !== undefined);
      };
      place.waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** The device's socket stands by from now on, and knows the token for its next one; both are on disk first. */
  async attach(sessionId: string, hash: string, end: TunnelEnd): Promise<void> {
    const { sessions, log } = this.#ports;
    const record = sessions.get(sessionId);
    const nextToken = newTunnelToken();
    const attached = record && afterAttach(record, hash, hashOfToken(nextToken));
    // Between its upgrade and now another socket may have used it.
    if (attached === undefined) return end.close(CLOSE.tokenRefused);
    const before = this.#placeOf(sessionId);
    before.standby?.end.close(CLOSE.replaced);
    delete before.standby;
    const standby: Standby = { end, isPaired: false };
    end.onBinary(
      () => standby.isPaired || end.close(CLOSE.binaryFrame),
      () => standby.isPaired || end.close(CLOSE.textFrame),
    );
    end.onClose(() => {
      const place = this.#placeOf(sessionId);
      if (place.standby === standby) delete place.standby;
      this.#tidy(sessionId);
    });
    await sessions.update(attached);
    if (!end.isOpen) return this.#tidy(sessionId);
    if (sessions.get(sessionId)?.nextToken !== attached.nextToken) return end.close(CLOSE.replaced);
    end.text({ type: 'attached', nextToken, expiresAt: attached.expiresAt });
    const place = this.#placeOf(sessionId); // it may have been tidied away meanwhile
    place.standby = standby;
    log.debug({ sessionId }, 'tunnel stands by');
    this.#wakeNext(place);
  }

  /** One operator for one socket. */
  #wakeNext({ standby, waiting }: Place): void {
    const [first] = waiting;
    if (standby !== undefined) first?.();
  }

  /** Joins an operator with the socket that stands by, whose token is spent from now on. */
  pair(sessionId: string, operator: TunnelEnd, from: string): void {
    const { sessions } = this.#ports;
    const place = this.#placeOf(sessionId);
    const { standby } = place;
    const record = sessions.get(sessionId);
    if (standby === undefined || record === undefined) return operator.close(CLOSE.overloaded);
    delete place.standby;
    standby.isPaired = true;
    const device = standby.end;
    const paired = afterPairing(record);
    const stream = paired.opened;
    const report = { record: paired, from, stream };
    operator.pause();
    const pair = pairEnds(device, operator, this.#maxWaitingBytes, (bytes) => {
      place.pairs.delete(pair);
      this.#count(sessionId, bytes);
      this.#ports.report({ action: 'tunnel.close', ...report, bytes });
      this.#tidy(sessionId);
    });
    place.pairs.add(pair);
    this.#ports.report({ action: 'tunnel.open', ...report });
    void sessions.update(paired).then(() => {
      if (device.isOpen) device.text({ type: 'paired', stream, operator: record.operator, remote: from });
      operator.resume();
    });
  }

  async end(sessionId: string, by: string): Promise<void> {
    const { sessions, clock } = this.#ports;
    const record = sessions.get(sessionId);
    if (record === undefined || record.ended !== undefined) return;
    const ended = { ...record, ended: { at: Math.round(clock.wallMs()), by } };
    this.#ports.report({ action: 'tunnel.end', record: ended, by });
    await sessions.update(ended);
    this.#close(sessionId);
  }

  /** Sessions whose time is up. */
  closeOver(): void {
    for (const sessionId of this.#places.keys())
      if (!this.#ports.sessions.isLive(sessionId)) this.#close(sessionId);
  }

  closeAll(code: number): void {
    for (const { pairs } of this.#places.values()) for (const pair of pairs) pair.close(code);
  }

  /** Resolves when what was counted is on disk. */
  async written(): Promise<void> {
    await this.#counted;
  }

  #close(sessionId: string): void {
    const place = this.#places.get(sessionId);
    if (place === undefined) return;
    for (const done of place.waiting) done();
    place.standby?.end.close(CLOSE.sessionOver);
    for (const pair of place.pairs) pair.close(CLOSE.sessionOver);
  }

  #count(sessionId: string, { up, down }: PairedBytes): void {
    const record = this.#ports.sessions.get(sessionId);
    if (record === undefined) return;
    const counted = { ...record, bytesUp: record.bytesUp + up, bytesDown: record.bytesDown + down };
    this.#counted = this.#ports.sessions.update(counted);
  }

  #placeOf(sessionId: string): Place {
    let place = this.#places.get(sessionId);
    if (place === undefined) {
      place = { pairs: new Set(), reserved: 0, waiting: new Set() };
      this.#places.set(sessionId, place);
    }
    return place;
  }

  #tidy(sessionId: string): void {
    const place = this.#places.get(sessionId);
    if (place === undefined || place.standby !== undefined) return;
    if (place.pairs.size + place.reserved + place.waiting.size === 0) this.#places.delete(sessionId);
  }
}
