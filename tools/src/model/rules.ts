import type { PropertyName } from './properties.ts';
import type { ScenarioName } from './scenarios.ts';

export interface Rule {
  /** What the protocol says, as one sentence. */
  says: string;
  /** Where it says so: section of docs/protocol.md. */
  section: 1 | 3 | 4;
  /** What no longer holds without it … */
  breaks: PropertyName;
  /** … and where that shows soonest. */
  scenario: ScenarioName;
}

/** The rules of the protocol that the model can leave out, one at a time. */
export const RULES = {
  'delete-only-on-receipt': {
    says: 'The device deletes a message only when the server has receipted it.',
    section: 4,
    breaks: 'nothing-lost',
    scenario: 'uplink',
  },
  'durable-before-receipt': {
    says: 'The server receipts a message only when it is on its disk.',
    section: 4,
    breaks: 'nothing-lost',
    scenario: 'uplink',
  },
  'resume-where-the-server-is': {
    says: 'On a new link the device sends on from what the welcome says, not from what it once sent.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'uplink',
  },
  'one-link-a-device': {
    says: 'Of two links of a device the later hello wins, and the server closes the earlier one.',
    section: 3,
    breaks: 'taken-once',
    scenario: 'uplink',
  },
  'nothing-stored-after-close': {
    says: 'After the server has sent a close it stores nothing more from that link.',
    section: 4,
    breaks: 'taken-once',
    scenario: 'uplink',
  },
  'gap-for-what-is-dropped': {
    says: 'What a full lane drops is reported by a gap, in the same commit.',
    section: 4,
    breaks: 'nothing-lost',
    scenario: 'dropping',
  },
  'holes-are-pending': {
    says: 'A hole is pending until the events that were waiting at the hello are there, for a gap may be among them.',
    section: 4,
    breaks: 'no-false-alarm',
    scenario: 'dropping',
  },
  'reject-before-receipt': {
    says: 'A final reject goes before the receipt that passes it.',
    section: 4,
    breaks: 'refused-is-kept',
    scenario: 'rejects',
  },
  'dead-letter-before-reject': {
    says: 'The server stores a final reject as a dead letter of its own before it sends it.',
    section: 4,
    breaks: 'refused-is-kept',
    scenario: 'rejects',
  },
  'reject-uses-up-its-seq': {
    says: 'A final reject uses up its seq: receipts pass it.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'rejects',
  },
  'window-counts-messages': {
    says: 'A batch takes as much of the window as it has messages.',
    section: 4,
    breaks: 'window-kept',
    scenario: 'window',
  },
  'whole-batch-before-receipt': {
    says: 'The server receipts a batch only when all of it is on its disk.',
    section: 4,
    breaks: 'nothing-lost',
    scenario: 'window',
  },
  'receipts-free-the-window': {
    says: 'What is receipted is not in flight any more.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'window',
  },
  'one-may-always-go': {
    says: 'One message may always be in flight, however small the window.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'narrow-window',
  },
  'never-delete-unsent': {
    says: 'A device never deletes beyond what it sent in this epoch; a server that has more shows that it was restored.',
    section: 3,
    breaks: 'nothing-lost',
    scenario: 'device-restored',
  },
  'new-epoch-on-restore': {
    says: 'A device that was restored from an older state deletes nothing and takes a new epoch.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'device-restored',
  },
  'renumber-same-ids': {
    says: 'What is numbered anew in a new epoch keeps its ids.',
    section: 3,
    breaks: 'taken-once',
    scenario: 'device-restored',
  },
  'server-dedupes-by-id': {
    says: 'The server knows results and events of earlier epochs again by their ids.',
    section: 3,
    breaks: 'taken-once',
    scenario: 'device-restored',
  },
  'journal-before-receipt': {
    says: 'The device receipts an order only when it is in its journal.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'orders',
  },
  'ack-with-its-state': {
    says: 'A state of an order and its ack become durable together.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'orders',
  },
  'started-before-effect': {
    says: '`started` is durable before the effect begins.',
    section: 4,
    breaks: 'no-second-run',
    scenario: 'orders',
  },
  'indeterminate-after-crash': {
    says: 'An order that is found `started` after a crash and is not idempotent ends `indeterminate`.',
    section: 4,
    breaks: 'no-second-run',
    scenario: 'orders',
  },
  'idempotent-runs-again': {
    says: 'An idempotent order that is found `started` after a crash runs again.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'idempotent',
  },
  'shared-commit-before-effect': {
    says: 'Where `received` and `started` share a commit, the effect begins only after it.',
    section: 4,
    breaks: 'no-second-run',
    scenario: 'told-first',
  },
  'cancelled-only-when-stopped': {
    says: 'An order that its app has in hand is `cancelled` only when the app says that it dropped or stopped it.',
    section: 4,
    breaks: 'cancelled-stays-off',
    scenario: 'cancel',
  },
  'open-cancels-go-on': {
    says: 'A cancel that a crash left open is carried on.',
    section: 4,
    breaks: 'nothing-stands-still',
    scenario: 'cancel',
  },
  'terminal-stays': {
    says: 'No way leads out of a terminal state.',
    section: 4,
    breaks: 'terminal-stays',
    scenario: 'expiry',
  },
  'device-dedupes-by-id': {
    says: 'A known order under a new seq is reported once more and not run again.',
    section: 4,
    breaks: 'no-second-run',
    scenario: 'server-restored',
  },
  'received-reset-on-new-server-epoch': {
    says: 'Under a new serverEpoch the device counts received orders from 0 again.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'server-restored',
  },
  'resend-unfinished': {
    says: 'After a new epoch on either side the server sends the unfinished orders again, from seq 1.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'server-restored',
  },
  'server-shown-restored': {
    says: 'A server that sees more received than it may have sent under its own epoch takes a new one for that device at once.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'server-restored-unnoticed',
  },
  'only-what-was-sent-counts': {
    says: 'What the server has numbered and not handed to a link does not count as sent.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'server-restored-unnoticed',
  },
  'lost-acks-mean-again': {
    says: 'A server that lacks acks which the device no longer holds sends it the unfinished orders again, under a new epoch.',
    section: 3,
    breaks: 'nothing-stands-still',
    scenario: 'server-restored-unnoticed-later',
  },
  'epoch-of-one-device': {
    says: 'The epoch that the server takes because of what a device shows is for that device alone.',
    section: 3,
    breaks: 'devices-apart',
    scenario: 'two-devices',
  },
  'started-not-sent-again': {
    says: 'To a device that lost its journal the server does not send again an order that had started, unless it is idempotent.',
    section: 3,
    breaks: 'no-second-run',
    scenario: 'orders-device-lost',
  },
  'url-names-the-device': {
    says: 'A link is that of the device which proved who it is; the server keeps all that it says under that id.',
    section: 1,
    breaks: 'devices-apart',
    scenario: 'two-devices',
  },
  'later-hello-of-the-same-device': {
    says: 'A hello ends earlier links of its own device only.',
    section: 3,
    breaks: 'devices-apart',
    scenario: 'two-devices',
  },
  'acks-of-own-orders': {
    says: 'An ack moves an order only of the device that sends it.',
    section: 4,
    breaks: 'devices-apart',
    scenario: 'two-devices',
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as RuleName[];
