/**
 * Names of the contract, apart from its schemas: a process that only speaks the contract must not pay for the schema
 * builder at start.
 */
export const UPLINK_LANES = ['results', 'events', 'telemetry', 'history'] as const;
/** The four lanes of the uplink, by falling priority (protocol, section 4). */
export type Lane = (typeof UPLINK_LANES)[number];

/** The downlink types that are orders: durable, journalled, answered by acks (protocol, section 4). */
export const ORDER_TYPES = [
  'command',
  'config',
  'historyRequest',
  'softwareUpdate',
  'sshAccess',
  'trust',
  'cancel',
] as const;
export type OrderType = (typeof ORDER_TYPES)[number];
export const isOrderType = (type: string): type is OrderType =>
  (ORDER_TYPES as readonly string[]).includes(type);

/** Uplink types that are stored before they are sent, and the lane that each belongs to. */
export const LANE_OF = {
  ack: 'results',
  event: 'events',
  configReport: 'events',
  gap: 'events',
  history: 'history',
} as const satisfies Record<string, Lane>;
/** `telemetry` is the one whose lane depends on the moment: live while connected, else history. */
export type DurableType = keyof typeof LANE_OF | 'telemetry';

/** Status of an order's ack; all but `progress` are durable. */
export const ACK_STATUSES = [
  'received',
  'started',
  'progress',
  'succeeded',
  'failed',
  'cancelled',
  'rejected',
  'expired',
  'indeterminate',
] as const;
export type AckStatus = (typeof ACK_STATUSES)[number];

const TERMINAL = ['succeeded', 'failed', 'cancelled', 'rejected', 'expired', 'indeterminate'];
/** Whether nothing more will happen to an order in this state (protocol, section 4). */
export const isTerminal = (status: string): boolean => TERMINAL.includes(status);

/**
 * What a grant of a session may ask for, and a device's policy allow. `pty` is a shell or command on a terminal, `exec` one
 * without (rsync needs it), `sftp` files (sftp, scp); each forward must be granted by itself.
 */
export const SSH_CAPABILITIES = [
  'pty',
  'exec',
  'sftp',
  'local-forward',
  'remote-forward',
  'agent-forward',
] as const;
export type SshCapability = (typeof SSH_CAPABILITIES)[number];

export const SEVERITIES = ['debug', 'info', 'warning', 'error', 'critical'] as const;
export const GAP_REASONS = ['overflow', 'expired', 'corrupt', 'too-large', 'thinned'] as const;
export const SAMPLE_QUALITIES = ['good', 'unsynchronised', 'estimated'] as const;

/** Before the device's first ack an order is `queued` or, once a link has taken it, `sent`. */
export const ORDER_STATUSES = ['queued', 'sent', ...ACK_STATUSES] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

/** What an operator may do, each role all that the one before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];
