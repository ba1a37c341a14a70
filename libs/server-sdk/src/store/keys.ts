import type { Lane } from '@bowline/messages';

/** Seqs sort as text. 16 digits hold every integer below 2^53. */
const padded = (seq: number): string => String(seq).padStart(16, '0');

/** Every key of this library in the store; fleet-server adds its own (its operators/keys.ts). No part of a key that the outside gives may contain `/`. */
export const keys = {
  /** ServerRecord */
  server: 'meta/server',
  /** ServerIncident[] */
  incidents: 'meta/incidents',
  /** DeviceRecord */
  device: (deviceId: string) => `device/${deviceId}`,
  devices: 'device/',
  /** Thumbprint of a device's key → device id. */
  keyOwners: 'key/',
  key: (thumbprint: string) => `key/${thumbprint}`,
  /** DeviceStatus */
  statuses: 'status/',
  status: (deviceId: string) => `status/${deviceId}`,
  /** UplinkState */
  /** Offsets of boots, see devices/device-clocks.ts. */
  clocks: (deviceId: string) => `clocks/${deviceId}`,
  uplinks: 'uplink/',
  uplink: (deviceId: string) => `uplink/${deviceId}`,
  /** Frames as they came. */
  logs: 'log/',
  logOf: (deviceId: string, lane: Lane) => `log/${deviceId}/${lane}/`,
  log: (deviceId: string, lane: Lane, generation: number, seq: number) =>
    `log/${deviceId}/${lane}/${padded(generation)}/${padded(seq)}`,
  /** Ids of what came on `results` and `events`, to know them again after a new epoch. */
  allIds: 'ids/',
  idsOf: (deviceId: string, lane: Lane) => `ids/${deviceId}/${lane}/`,
  ids: (deviceId: string, lane: Lane, generation: number, seq: number) =>
    `ids/${deviceId}/${lane}/${padded(generation)}/${padded(seq)}`,
  deadLetters: 'dead/',
  deadLettersOf: (deviceId: string) => `dead/${deviceId}/`,
  deadLetter: (deviceId: string, uuidv7: string) => `dead/${deviceId}/${uuidv7}`,
  /** DownlinkState */
  downlink: (deviceId: string) => `downlink/${deviceId}`,
  queues: 'queue/',
  /** Downlink seq → order id, as long as the device has not receipted it. */
  queueOf: (deviceId: string) => `queue/${deviceId}/`,
  queue: (deviceId: string, seq: number) => `queue/${deviceId}/${padded(seq)}`,
  orders: 'order/',
  /** Order. UUIDv7 sorts by time. */
  ordersOf: (deviceId: string) => `order/${deviceId}/`,
  order: (deviceId: string, orderId: string) => `order/${deviceId}/${orderId}`,
  /** Order id → device id. */
  orderOwners: 'order-owner/',
  orderOwner: (orderId: string) => `order-owner/${orderId}`,
  /** Hash of a jti → until when it is remembered. */
  usedTokens: 'jti/',
  usedToken: (hash: string) => `jti/${hash}`,
  /** Hash of an enrolment token's secret → EnrolmentTokenRecord */
  enrolmentTokens: 'enrolment-token/',
  enrolmentToken: (hash: string) => `enrolment-token/${hash}`,
  /** TunnelRecord */
  tunnels: 'tunnel/',
  tunnel: (sessionId: string) => `tunnel/${sessionId}`,
  /** RolloutRecord */
  rollouts: 'rollout/',
  rollout: (rolloutId: string) => `rollout/${rolloutId}`,
  /** TakenPart: what became of it on each device. */
  rolloutPartsOf: (rolloutId: string) => `rollout-part/${rolloutId}/`,
  rolloutPart: (rolloutId: string, deviceId: string) => `rollout-part/${rolloutId}/${deviceId}`,
  /** Thumbprints of the keys that used a token. */
  enrolmentUsesOf: (hash: string) => `enrolment-use/${hash}/`,
  enrolmentUse: (hash: string, thumbprint: string) => `enrolment-use/${hash}/${thumbprint}`,
} as const;

/** Where everything of one device lies that grows with time; its single records are `device`, `status`, `uplink`, `downlink`, `clocks`. */
export const prefixesOf = (deviceId: string): string[] => [
  `log/${deviceId}/`,
  `ids/${deviceId}/`,
  keys.deadLettersOf(deviceId),
  keys.queueOf(deviceId),
  keys.ordersOf(deviceId),
];
