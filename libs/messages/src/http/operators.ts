/**
 * The operators' HTTP API of fleet-server (docs: apps/fleet-server/README.md), as its clients read it. Every answer may
 * carry further fields; clients ignore what they do not know.
 */
import { Type, type Static } from 'typebox';
import {
  Count,
  DeviceId,
  EpochMs,
  JsonObject,
  Name,
  OperatorName,
  perLane,
  Text,
  WireErrorSchema,
  SessionId,
} from '../primitives.ts';
import { ORDER_STATUSES, ROLES, SAMPLE_QUALITIES, SEVERITIES } from '../names.ts';

import { ConfigReport } from '../wire/config-report.ts';
import { LedgerEntry, QueueSummary } from '../wire/queue-state.ts';
import { Ed25519Jwk } from './enrolment.ts';

/** What the server itself found wrong with a device: a clone, a conflict, an unexplained hole. */
export const Alarm = Type.Object({
  kind: Name,
  at: EpochMs,
  message: Type.Optional(Text),
  data: Type.Optional(JsonObject),
});
export type Alarm = Static<typeof Alarm>;

/** How a device is configured, against what the server wants (docs/configuration.md). */
export const DeviceConfig = Type.Object({
  /** The newest document that was pushed. */
  wanted: Type.Optional(Type.Object({ version: Count, orderId: Text, at: EpochMs })),
  /** What is in force, as the device said last. */
  version: Type.Optional(Count),
  hash: Type.Optional(Text),
  setHash: Type.Optional(Text),
  /** Its newest report. */
  report: Type.Optional(Type.Object({ ...ConfigReport.properties, at: EpochMs })),
  /** Of the document that is in force: what the device's hash was when it reported it. */
  applied: Type.Optional(Type.Object({ version: Count, hash: Text, setHash: Type.Optional(Text) })),
  /**
   * `version`: another document is in force than is wanted. With the right one in force, `local`: something was set on the device
   * since; `software`: nothing was, and its software has other defaults since an update.
   */
  drift: Type.Optional(Type.Enum(['version', 'local', 'software'])),
});
export type DeviceConfig = Static<typeof DeviceConfig>;

/** `since`: when it went online or offline. Queue, ledger and apps are those of the last heartbeat. */
export const Device = Type.Object({
  deviceId: DeviceId,
  name: Text,
  groups: Type.Array(Name),
  enrolledAt: Type.Optional(EpochMs),
  /** Set as long as the device may not connect. */
  revokedAt: Type.Optional(EpochMs),
  online: Type.Boolean(),
  since: Type.Optional(EpochMs),
  lastSeenAt: Type.Optional(EpochMs),
  agentVersion: Type.Optional(Text),
  queue: Type.Optional(QueueSummary),
  ledger: Type.Optional(perLane(LedgerEntry)),
  apps: Type.Optional(Type.Record(Type.String(), Text)),
  roundTripMs: Type.Optional(Type.Number({ minimum: 0 })),
  config: Type.Optional(DeviceConfig),
  alarms: Type.Array(Alarm),
});
export type Device = Static<typeof Device>;

/** `at` is the clock of whoever did the step (the device's for acks), `receivedAt` the server's. */
export const OrderStep = Type.Object({
  status: Type.Enum([...ORDER_STATUSES]),
  at: EpochMs,
  receivedAt: EpochMs,
  attempt: Count,
});
export type OrderStep = Static<typeof OrderStep>;

export const OrderProgress = Type.Object({
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  note: Type.Optional(Text),
  data: Type.Optional(JsonObject),
});

export const Order = Type.Object({
  orderId: Text,
  deviceId: DeviceId,
  seq: Count,
  type: Name,
  payload: JsonObject,
  createdAt: EpochMs,
  expiresAt: Type.Optional(EpochMs),
  status: Type.Enum([...ORDER_STATUSES]),
  attempt: Count,
  history: Type.Array(OrderStep),
  result: Type.Optional(Type.Unknown()),
  error: Type.Optional(WireErrorSchema),
  progress: Type.Optional(OrderProgress),
});
export type Order = Static<typeof Order>;

/** `GET /v1/orders/ORDER/history`: what the device has answered so far. */
export const HistoryAnswer = Type.Object({
  orderId: Text,
  deviceId: DeviceId,
  status: Type.Enum([...ORDER_STATUSES]),
  /** All of it is here. */
  complete: Type.Boolean(),
  parts: Count,
  /** Numbers of parts that have not come, or are no longer kept. */
  missing: Type.Array(Count),
  /** Numbers of parts that cannot be read. */
  spoilt: Type.Array(Count),
  /** `{ series, unit?, points }` of telemetry, a line each of a log. */
  items: Type.Array(Type.Unknown()),
});
export type HistoryAnswer = Static<typeof HistoryAnswer>;

/** What a device uploaded of its logs on its own schedule. */
export const HistoryUploadSummary = Type.Object({
  uploadId: Text,
  job: Name,
  kind: Type.Enum(['logs', 'journal']),
  app: Type.Optional(Name),
  from: EpochMs,
  to: EpochMs,
  receivedAt: EpochMs,
  parts: Count,
  complete: Type.Boolean(),
});
export type HistoryUploadSummary = Static<typeof HistoryUploadSummary>;

/** `GET /v1/devices/DEVICE/uploads/UPLOAD` */
export const HistoryUploadAnswer = Type.Object({
  ...HistoryUploadSummary.properties,
  missing: Type.Array(Count),
  spoilt: Type.Array(Count),
  items: Type.Array(Type.Unknown()),
});
export type HistoryUploadAnswer = Static<typeof HistoryUploadAnswer>;

/** An event as the server stored it. */
export const StoredEvent = Type.Object({
  id: Text,
  deviceId: DeviceId,
  kind: Name,
  severity: Type.Enum([...SEVERITIES]),
  at: EpochMs,
  receivedAt: Type.Optional(EpochMs),
  data: JsonObject,
});
export type StoredEvent = Static<typeof StoredEvent>;

/** A message that the server refused for good and kept (protocol, section 4). */
export const DeadLetter = Type.Object({
  id: Type.Optional(Text),
  type: Type.Optional(Text),
  code: Type.Optional(Text),
  detail: Type.Optional(Text),
  at: Type.Optional(EpochMs),
});
export type DeadLetter = Static<typeof DeadLetter>;

const SampleValue = Type.Union([Type.Number(), Type.String(), Type.Boolean()]);

/** `quality` as the device said it, `estimated` where the server has put the moment right; `count`, `min`, `max`: see Sample. */
export const StoredSample = Type.Object({
  at: EpochMs,
  value: SampleValue,
  unit: Type.Optional(Text),
  quality: Type.Optional(Type.Enum([...SAMPLE_QUALITIES])),
  count: Type.Optional(Count),
  min: Type.Optional(Type.Number()),
  max: Type.Optional(Type.Number()),
});
export type StoredSample = Static<typeof StoredSample>;

export const SeriesSummary = Type.Object({
  series: Name,
  unit: Type.Optional(Text),
  last: Type.Optional(StoredSample),
});
export type SeriesSummary = Static<typeof SeriesSummary>;

const LiveSample = Type.Object({
  series: Name,
  at: EpochMs,
  value: SampleValue,
  unit: Type.Optional(Text),
});

export const TelemetryNews = Type.Object({ deviceId: DeviceId, samples: Type.Array(LiveSample) });
export type TelemetryNews = Static<typeof TelemetryNews>;

/** Of an enrolment token; the token itself is told once, when it is made. */
export const EnrolmentTokenState = Type.Object({
  tokenId: Text,
  /** The device that it is for; without one, each key becomes a device of its own. */
  deviceId: Type.Optional(DeviceId),
  name: Type.Optional(Text),
  groups: Type.Array(Name),
  createdAt: EpochMs,
  expiresAt: EpochMs,
  maxUses: Count,
  /** Keys that have used it. */
  uses: Count,
});
export type EnrolmentTokenState = Static<typeof EnrolmentTokenState>;

export const EnrolmentToken = Type.Object({ ...EnrolmentTokenState.properties, token: Text });
export type EnrolmentToken = Static<typeof EnrolmentToken>;

const RoleName = Type.Enum([...ROLES]);

/** The token itself is shown once, when it is made. */
export const OperatorToken = Type.Object({
  tokenId: Text,
  label: Type.Optional(Text),
  createdAt: EpochMs,
  expiresAt: Type.Optional(EpochMs),
  /** To the hour. */
  lastUsedAt: Type.Optional(EpochMs),
});
export type OperatorToken = Static<typeof OperatorToken>;

export const Operator = Type.Object({
  name: OperatorName,
  role: RoleName,
  createdAt: EpochMs,
  createdBy: Text,
  tokens: Type.Array(OperatorToken),
});
export type Operator = Static<typeof Operator>;

/** A token that was just made: the only time that it is told. */
export const NewOperatorToken = Type.Object({
  operator: OperatorName,
  role: RoleName,
  tokenId: Text,
  token: Text,
  expiresAt: Type.Optional(EpochMs),
});
export type NewOperatorToken = Static<typeof NewOperatorToken>;

/**
 * Who is signed in to the console. `csrfToken` comes once, with the cookie: both are needed on every call. The session ends at
 * `expiresAt`, and after `idleMs` without a call.
 */
export const OperatorSession = Type.Object({
  operator: OperatorName,
  role: RoleName,
  csrfToken: Type.Optional(Text),
  expiresAt: Type.Optional(EpochMs),
  idleMs: Type.Optional(Count),
});
export type OperatorSession = Static<typeof OperatorSession>;

/**
 * One line of the audit log. What changes something is written twice: before its effect, without `outcome`, and after it, with
 * `of` naming the first; what was refused at the door, once. `hash` covers all that stands before it (libs/identity:
 * audit-chain.ts), `prev` among it.
 */
export const AuditEntry = Type.Object({
  seq: Count,
  at: EpochMs,
  /** Absent where nobody was signed in. */
  actor: Type.Optional(
    Type.Object({ operator: Text, role: Text, tokenId: Text, via: Type.Enum(['token', 'session']) }),
  ),
  /** Address of the caller. */
  from: Text,
  action: Text,
  target: Type.Record(Type.String(), Text),
  outcome: Type.Optional(Type.Object({ status: Type.Integer(), code: Type.Optional(Text) })),
  of: Type.Optional(Count),
  /** Refusals since the last entry that were not written, because there were too many. */
  unwritten: Type.Optional(Count),
  prev: Text,
  hash: Text,
});
export type AuditEntry = Static<typeof AuditEntry>;

/** A place in the chain of the audit log: `seq` 0 and an empty hash before its first entry. */
export const AuditMark = Type.Object({ seq: Count, hash: Text });
export type AuditMark = Static<typeof AuditMark>;

/** Entries follow `anchor`, what was forgotten before them; `head` is the newest there is. */
export const AuditPage = Type.Object({ entries: Type.Array(AuditEntry), anchor: AuditMark, head: AuditMark });
export type AuditPage = Static<typeof AuditPage>;

/** Something that the server's store lost. */
export const StoreLoss = Type.Object({
  /** A lane, or a kind of record: `device`, `orders`, `link-state`, … */
  kind: Name,
  deviceId: Type.Optional(DeviceId),
  bytes: Type.Optional(Count),
  records: Type.Optional(Count),
});
export type StoreLoss = Static<typeof StoreLoss>;

/** What befell the server's store: each began a new `serverEpoch` (protocol, section 3). */
export const ServerIncident = Type.Object({
  at: EpochMs,
  /** `damaged`: salvaged; `restored`: from a backup; `set-back`: somebody put an older state in its place. */
  kind: Type.Enum(['damaged', 'restored', 'set-back']),
  message: Text,
  /** The first of them. */
  lost: Type.Optional(Type.Array(StoreLoss)),
  lostInAll: Type.Optional(Count),
});
export type ServerIncident = Static<typeof ServerIncident>;

/** `GET /v1/server`. */
export const ServerInfo = Type.Object({
  serverId: Text,
  serverEpoch: Text,
  store: Type.Object({ fileBytes: Count, usedBytes: Count }),
  /** Where people have grants signed; this server only says where that is. */
  signerUrl: Type.Optional(Text),
  incidents: Type.Array(ServerIncident),
});
export type ServerInfo = Static<typeof ServerInfo>;

/** A copy of the server's state, whole and checked. */
export const Backup = Type.Object({
  name: Text,
  at: EpochMs,
  bytes: Count,
  serverEpoch: Text,
  /** On the server. */
  folder: Text,
});
export type Backup = Static<typeof Backup>;

/** A staged rollout of one release to a group of devices. */
export const Rollout = Type.Object({
  /** Also the salt by which its devices are chosen. */
  rolloutId: Text,
  group: Name,
  channel: Name,
  name: Text,
  version: Type.Optional(Text),
  digest: Type.Optional(Text),
  percent: Type.Number({ minimum: 0, maximum: 100 }),
  status: Type.Enum(['running', 'paused', 'stopped']),
  /** Why it is paused or stopped. */
  why: Type.Optional(Text),
  /** It pauses by itself once more than this share of its devices have failed, in percent. */
  maxFailedPercent: Type.Number({ minimum: 0, maximum: 100 }),
  by: Text,
  createdAt: EpochMs,
  changedAt: EpochMs,
  /** Until then devices are given it; after that it must be signed anew. */
  signedUntil: EpochMs,
  /** Of the group, and of those the ones that it is for by now. */
  groupDevices: Count,
  devices: Count,
  /** It is under way there. */
  given: Count,
  succeeded: Count,
  failed: Count,
  /** Called off, or too late, before it had an effect. */
  recalled: Count,
  /** Since it was signed last: how often which code. */
  failures: Type.Record(Type.String(), Count),
});
export type Rollout = Static<typeof Rollout>;

export const RolloutFailure = Type.Object({
  deviceId: DeviceId,
  orderId: Text,
  code: Text,
  message: Text,
  at: EpochMs,
});
export type RolloutFailure = Static<typeof RolloutFailure>;

/** `GET /v1/rollouts/ROLLOUT`: with the first devices on which it failed. */
export const RolloutReport = Type.Object({ ...Rollout.properties, onDevices: Type.Array(RolloutFailure) });
export type RolloutReport = Static<typeof RolloutReport>;

/** A session of `sshAccess` at the relay (protocol, section 8). `user` and `reason` are what its operator says; the grant rules. */
export const SshSession = Type.Object({
  sessionId: SessionId,
  deviceId: DeviceId,
  operator: Text,
  createdAt: EpochMs,
  expiresAt: EpochMs,
  streams: Count,
  user: Type.Optional(Text),
  reason: Type.Optional(Text),
  /** Whether the device stands by for the next stream. */
  ready: Type.Boolean(),
  openStreams: Count,
  /** Streams so far. */
  opened: Count,
  bytesUp: Count,
  bytesDown: Count,
});
export type SshSession = Static<typeof SshSession>;

/** A session that was just made: the only time that its tokens are told. `device*` goes into the order, `operator*` stays. */
export const NewSshSession = Type.Object({
  ...SshSession.properties,
  tunnelUrl: Text,
  deviceToken: Text,
  operatorUrl: Text,
  operatorToken: Text,
  /** The device's key as this server knows it. */
  deviceKey: Ed25519Jwk,
});
export type NewSshSession = Static<typeof NewSshSession>;

/**
 * What the answers are made of: lists come as `{ devices }`, `{ orders }`, `{ series }`, `{ samples }`, `{ events }`,
 * `{ deadLetters }`, `{ tokens }`, `{ operators }`, `{ backups }`, `{ sessions }`, `{ rollouts }`. The events of `GET /v1/stream` are `device`, `order`, `telemetry` and `event`.
 */
export const OPERATORS = {
  device: Device,
  deviceConfig: DeviceConfig,
  order: Order,
  series: SeriesSummary,
  sample: StoredSample,
  event: StoredEvent,
  deadLetter: DeadLetter,
  telemetry: TelemetryNews,
  enrolmentToken: EnrolmentToken,
  enrolmentTokenState: EnrolmentTokenState,
  operator: Operator,
  newOperatorToken: NewOperatorToken,
  session: OperatorSession,
  auditPage: AuditPage,
  server: ServerInfo,
  backup: Backup,
  historyAnswer: HistoryAnswer,
  historyUpload: HistoryUploadSummary,
  historyUploadAnswer: HistoryUploadAnswer,
  sshSession: SshSession,
  newSshSession: NewSshSession,
  rollout: Rollout,
  rolloutReport: RolloutReport,
} as const;
