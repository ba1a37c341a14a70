import type { UplinkMessage } from '@bowline/messages/uplink';
import { duration, size } from './format.ts';

/** What a message from a device says, in a few words. */
export function explainUplink(message: UplinkMessage): string {
  switch (message.type) {
    case 'hello': {
      const { deviceId, epoch, lanes, received, agentVersion } = message.payload;
      const held = Object.entries(lanes)
        .map(([lane, { first, next }]) => (next > first ? `${lane} ${first}–${next - 1}` : ''))
        .filter(Boolean);
      return `${deviceId} (${agentVersion}) opens the link: epoch ${epoch}, holds ${held.join(', ') || 'nothing'}, has orders up to ${received}`;
    }
    case 'heartbeat': {
      const { uptimeSeconds, queue, apps } = message.payload;
      const states = Object.entries(apps).map(([app, state]) => `${app} ${state}`);
      return `up ${duration(uptimeSeconds * 1000)}, ${queue.messages} messages (${size(queue.bytes)}) wait; ${states.join(', ')}`;
    }
    case 'receipt':
      return `holds durably: ${upTo(message.payload.lanes)}`;
    case 'reject':
      return explainReject(message.payload);
    case 'ack': {
      const { orderId, status, attempt, error, percent, note } = message.payload;
      const more = [
        attempt > 0 ? `attempt ${attempt}` : '',
        percent === undefined ? '' : `${percent} %`,
        note ?? '',
        error === undefined ? '' : `${error.code}: ${error.message}`,
      ].filter(Boolean);
      return `order ${orderId} ${status}${more.length > 0 ? ` (${more.join(', ')})` : ''}`;
    }
    case 'telemetry': {
      const { samples } = message.payload;
      const series = [...new Set(samples.map((sample) => sample.series))];
      const named = series.slice(0, 4).join(', ') + (series.length > 4 ? ' …' : '');
      return `${samples.length} samples of ${series.length} series: ${named}`;
    }
    case 'history': {
      const { orderId, part, last, encoding } = message.payload;
      return `part ${part}${last ? ' (the last)' : ''} of the history for order ${orderId}, ${encoding}`;
    }
    case 'event':
      return `${message.payload.severity}: ${message.payload.kind} ${JSON.stringify(message.payload.data)}`;
    case 'configReport':
      return `configuration ${message.payload.version} ${message.payload.status}`;
    case 'gap': {
      const { lane, from, to, count, reason, series } = message.payload;
      const which =
        from === undefined ? `${count} samples of ${series ?? 'a series'}` : `seq ${from}–${to ?? from}`;
      return `will never come: ${which} of ${lane}, ${reason}`;
    }
  }
}

export const upTo = (lanes: Readonly<Record<string, number | undefined>>): string =>
  Object.entries(lanes)
    .map(([lane, seq]) => `${lane} up to ${seq ?? 0}`)
    .join(', ') || 'nothing';

export const explainReject = ({
  id,
  code,
  detail,
}: {
  id: string | null;
  code: string;
  detail: string;
}): string => `refuses ${id ?? 'a message without an id'}: ${detail} (${code})`;
