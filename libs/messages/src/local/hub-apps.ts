/**
 * Names and numbers of the hub's contract, apart from its schemas: a process that only speaks the contract must not pay
 * for the schema builder at start (45 MB).
 */
import type { OrderType } from '../names.ts';

export const HUB_VERSION = 2;

/** Longest list of authorities (PEM) that the gateway hands on. */
export const MAX_AUTHORITY_CHARS = 2 ** 20;

/** How long the updater may have documents of the cloud held at a time. */
export const LONGEST_CONFIG_HOLD_MS = 600_000;

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

/** Messages that apps hand over; acks are made of what they report, by the gateway. */
export const ENQUEUED_TYPES = ['telemetry', 'event', 'configReport', 'gap', 'history'] as const;
export type EnqueuedType = (typeof ENQUEUED_TYPES)[number];

/**
 * Which of them an app may hand over: a captured one lies about what is its own, and about nothing else. Whoever gives an
 * app a new kind of message adds it here, and to the table in docs/ipc.md. The CLI's socket is that of people (and of our own
 * campaigns) who may even make the device forget who it is: it hands over samples, and speaks for no app.
 */
export const MESSAGE_TYPES_OF = {
  'command-executor': ['event', 'history'],
  'telemetry-collector': ['telemetry', 'history', 'gap', 'event'],
  'ota-updater': ['event'],
  'ssh-broker': ['event'],
  cli: ['telemetry'],
} as const satisfies Record<HubApp, readonly EnqueuedType[]>;

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

/** Where a value of a configuration comes from, by rising precedence (docs/configuration.md). */
export const CONFIG_SOURCES = ['default', 'file', 'cloud', 'local', 'environment', 'flag'] as const;

/** Where the device stands with a document of the cloud's: `applying` until all apps, and the link where it matters, have it. */
export const CONFIG_PHASES = ['settled', 'applying', 'returning'] as const;
export const CONFIG_OUTCOMES = ['applying', 'applied', 'rolledBack'] as const;

/** Who has a section in a document of the cloud's. */
export const CONFIGURED_APPS = ['ws-gateway', ...HUB_APPS.filter((app) => app !== 'cli')] as const;
export type ConfiguredApp = (typeof CONFIGURED_APPS)[number];
