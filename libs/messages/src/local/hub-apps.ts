/**
 * Names and numbers of the hub's contract, apart from its schemas: a process that only speaks the contract must not pay
 * for the schema builder at start (45 MB).
 */
import type { OrderType } from '../names.ts';

export const HUB_VERSION = 2;

/** Who may connect: each has a hub socket of its own, and the socket is the identity. */
export const HUB_APPS = [
  'command-executor',
  'telemetry-collector',
  'ota-updater',
  'ssh-broker',
  'cli',
] as const;
export type HubApp = (typeof HUB_APPS)[number];

/** Order types that an app may register for; the gateway itself handles `config`, `trust` and `cancel`. */
export const ORDER_TYPES_OF = {
  'command-executor': ['command'],
  'telemetry-collector': ['historyRequest'],
  'ota-updater': ['softwareUpdate'],
  'ssh-broker': ['sshAccess'],
  cli: [],
} as const satisfies Record<HubApp, readonly OrderType[]>;

/** States of the link to the cloud, as others may watch them. */
export const LINK_STATES = [
  'offline',
  'connecting',
  'authenticating',
  'resuming',
  'online',
  'draining',
] as const;
export type LinkStateName = (typeof LINK_STATES)[number];

/** Who vouched for the server's root key when the device enrolled (protocol, section 7). */
export const TRUSTED_BY = ['token', 'factory-root', 'first-use'] as const;
export type TrustedBy = (typeof TRUSTED_BY)[number];
