import { FrameError, type DownlinkPayload, type DownlinkType, type Lane } from '@bowline/messages';
import type { UplinkMessage } from '@bowline/messages/uplink';
import type { OrderSender } from './order-sender.ts';
import type { LinkServices } from './services.ts';

export interface LiveLink {
  deviceId: string;
  orders: OrderSender;
  /** On disk, by lane. */
  durable: Readonly<Record<Lane, number>>;
  send<T extends DownlinkType>(type: T, payload: DownlinkPayload<T>): void;
}

/**
 * Messages that have no lane and no seq.
 *
 * @throws FrameError `invalid` for one that needs them.
 */
export function takeLive(services: LinkServices, link: LiveLink, message: UplinkMessage): void {
  const { status, orders, clock, log } = services;
  const { deviceId } = link;
  switch (message.type) {
    case 'heartbeat': {
      const received = { ...link.durable };
      // Acks, gaps and events are processed in the commit that stores them: what is durable is processed.
      const answer = { re: message.id, serverTime: clock.wallMs(), received, processed: received };
      link.send('heartbeat', answer);
      return status.heartbeat(deviceId, message.payload);
    }
    case 'receipt': {
      const seq = message.payload.lanes.orders;
      if (seq === undefined || link.orders.receipted(seq)) return;
      const text = `the device receipts order seq ${seq}, which was never sent`;
      return status.alarm(deviceId, 'receipt-ahead', text, { seq });
    }
    case 'reject':
      return log.warn({ deviceId, ...message.payload }, 'the device rejected a message');
    case 'ack':
      if (message.payload.status === 'progress') return void orders.ack(deviceId, message.payload);
  }
  const { id, type } = message;
  const frame = { id, type, seq: undefined, lane: undefined };
  throw new FrameError('invalid', `${type} needs lane and seq`, frame);
}
