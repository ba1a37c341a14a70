import type { DownlinkMessage } from '@bowline/messages/downlink';
import { explainReject, upTo } from './explain-uplink.ts';

/** What a message from a server says, in a few words. */
export function explainDownlink(message: DownlinkMessage): string {
  switch (message.type) {
    case 'welcome': {
      const { resumed, received, heartbeatSeconds, serverEpoch } = message.payload;
      const how = resumed ? 'resumed' : 'a new session';
      return `${how}: server epoch ${serverEpoch}, holds ${upTo(received)}; a heartbeat every ${heartbeatSeconds} s`;
    }
    case 'heartbeat':
      return `answers ${message.payload.re}: holds ${upTo(message.payload.received)}, processed ${upTo(message.payload.processed)}`;
    case 'receipt':
      return `holds durably: ${upTo(message.payload.lanes)}`;
    case 'reject':
      return explainReject(message.payload);
    case 'command': {
      const { name, params } = message.payload;
      return `run ${name ?? 'what the signed part names'}${params === undefined ? '' : ` ${JSON.stringify(params)}`}`;
    }
    case 'config':
      return `configuration ${message.payload.version} for ${Object.keys(message.payload.sections).join(', ')}`;
    case 'historyRequest': {
      const { kind, from, to } = message.payload;
      return `history of ${kind} from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`;
    }
    case 'softwareUpdate':
      return 'update the software, as signed by an update key';
    case 'sshAccess':
      return `open an ssh session through ${message.payload.tunnelUrl}`;
    case 'trust':
      return `the next trust bundle, ${message.payload.trust.signatures.length} signatures`;
    case 'cancel':
      return `cancel order ${message.payload.orderId}`;
  }
}
