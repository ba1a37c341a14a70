import type { Lane } from '@bowline/messages';
import type { UplinkMessage } from '@bowline/messages/uplink';
import { DeviceClocks } from '../devices/device-clocks.ts';
import { storedEvent } from '../devices/device-views.ts';
import { keys } from '../store/keys.ts';
import { putLatest } from '../store/server-store.ts';
import { judge, type DurableMessage, type FinalReject, type Held } from '../uplink/intake.ts';
import { cover } from '../uplink/lane-state.ts';
import { isDedupedById, type LoggedMessage } from '../uplink/uplink-log.ts';
import { judgeHoles, type UplinkState } from '../uplink/uplink-state.ts';
import { raiseUnexplained } from './opening.ts';
import type { LinkServices } from './services.ts';

export interface Stored {
  lane: Lane;
  /** Receipts may say this once `done` has resolved. */
  received: number;
  rejects: FinalReject[];
  done: Promise<void>;
}

/** Stores what a device sends: one check, one record and one commit a frame, however many messages it holds. */
export class UplinkIntake {
  readonly #services: LinkServices;
  readonly #deviceId: string;
  readonly #state: UplinkState;
  readonly #held: Held;
  readonly #clocks: DeviceClocks;
  /** What was last looked into: what comes again comes in a row. */
  #recent: { lane: Lane; messages: ReadonlyMap<number, LoggedMessage> } | undefined;
  /** Ids of earlier epochs, read when they are first needed. */
  readonly #earlier = new Map<Lane, ReadonlySet<string>>();

  constructor(services: LinkServices, deviceId: string, state: UplinkState) {
    this.#services = services;
    this.#deviceId = deviceId;
    this.#state = state;
    this.#clocks = new DeviceClocks(services.store);
    const { generation } = state;
    this.#held = {
      message: (lane, seq) => this.#storedMessage(lane, seq),
      deadLetter: (lane, seq, id) => services.deadLetters.find(deviceId, { lane, seq, id, generation }),
      isFromEarlierEpoch: (lane, id) => this.#isFromEarlierEpoch(lane, id),
    };
  }

  /** @param frame the bytes that the messages came in: stored as they are if all of them are good. */
  store(messages: readonly DurableMessage[], frame: Uint8Array): Stored {
    const { store, uplink, clock, news } = this.#services;
    const { lane, kept, rejects } = judge(messages, this.#state, this.#held);
    const at = clock.wallMs();
    for (const reject of rejects) this.#putAside(reject, at);

    const [first, last] = [kept[0], kept.at(-1)];
    if (first?.seq !== undefined && last?.seq !== undefined) {
      const ids = isDedupedById(lane) ? kept.map(({ id }) => id) : [];
      const body =
        kept.length === messages.length ? frame : Buffer.from(JSON.stringify({ lane, messages: kept }));
      this.#recent = undefined;
      uplink.append(this.#deviceId, this.#state, {
        lane,
        seq: first.seq,
        lastSeq: last.seq,
        ids,
        frame: body,
        at,
      });
    }
    if (lane === 'results') this.#takeAcks(kept);
    if (lane === 'events') {
      this.#takeGaps(kept);
      for (const { type, payload } of kept) {
        if (type === 'configReport') this.#services.status.configReported(this.#deviceId, payload);
        if (type === 'event') void store.write(this.#clocks.learned(this.#deviceId, payload));
      }
      raiseUnexplained(this.#services, this.#deviceId, judgeHoles(this.#state));
    }
    const done = store.write([putLatest(keys.uplink(this.#deviceId), this.#state)]);
    if (lane === 'events') {
      for (const message of kept) {
        news.publish('event', this.#deviceId, () =>
          storedEvent(this.#deviceId, message as LoggedMessage, at),
        );
      }
    } else if (lane !== 'results') this.#publishSamples(kept);
    return { lane, received: this.#state.lanes[lane].received, rejects, done };
  }

  /** A message without seq that was refused; frames that do not read have no id. */
  refuse(record: {
    id?: string;
    type?: string;
    code: string;
    detail: string;
    message: string;
  }): Promise<void> {
    const { store, clock, deadLetters } = this.#services;
    deadLetters.append(this.#deviceId, this.#state, { ...record, at: clock.wallMs() });
    return store.write([putLatest(keys.uplink(this.#deviceId), this.#state)]);
  }

  #putAside({ message, code, detail, repeated }: FinalReject, at: number): void {
    if (repeated) return;
    const { deadLetters, status } = this.#services;
    const { id, type, lane, seq } = message;
    const { generation } = this.#state;
    const text = JSON.stringify(message);
    deadLetters.append(this.#deviceId, this.#state, {
      id,
      type,
      lane,
      seq,
      generation,
      code,
      detail,
      at,
      message: text,
    });
    if (code === 'conflict') {
      status.alarm(this.#deviceId, 'conflict', `${detail}: a clone of the device, or it was rolled back`, {
        lane,
        seq,
      });
    }
  }

  #takeAcks(kept: readonly UplinkMessage[]): void {
    for (const { type, payload } of kept) {
      if (type !== 'ack') continue;
      const known = this.#services.orders.ack(this.#deviceId, payload);
      if (!known)
        this.#services.log.info({ orderId: payload.orderId }, 'ack of an order that is not held any more');
    }
  }

  #takeGaps(kept: readonly UplinkMessage[]): void {
    for (const { type, payload } of kept) {
      if (type !== 'gap' || payload.from === undefined || payload.to === undefined) continue;
      if (payload.from <= payload.to)
        cover(this.#state.lanes[payload.lane], { from: payload.from, to: payload.to });
    }
  }

  #publishSamples(kept: readonly UplinkMessage[]): void {
    const deviceId = this.#deviceId;
    this.#services.news.publish('telemetry', deviceId, () => {
      const corrected = this.#clocks.correction(deviceId);
      const samples = kept.flatMap(({ type, payload }) => (type === 'telemetry' ? payload.samples : []));
      return { deviceId, samples: samples.map(corrected) };
    });
  }

  #storedMessage(lane: Lane, seq: number): LoggedMessage | undefined {
    if (this.#recent?.lane !== lane || !this.#recent.messages.has(seq)) {
      const record = this.#services.uplink.recordOf(this.#deviceId, lane, this.#state.generation, seq);
      this.#recent = { lane, messages: new Map(record.map((message) => [message.seq, message])) };
    }
    return this.#recent.messages.get(seq);
  }

  #isFromEarlierEpoch(lane: Lane, id: string): boolean {
    if (this.#state.generation === 1 || !isDedupedById(lane)) return false;
    let ids = this.#earlier.get(lane);
    if (ids === undefined) {
      const { uplink, clock } = this.#services;
      ids = uplink.idsBefore(this.#deviceId, lane, this.#state.generation, clock.wallMs());
      this.#earlier.set(lane, ids);
    }
    return ids.has(id);
  }
}
