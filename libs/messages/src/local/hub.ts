/**
 * The contract between the gateway's hub and the other processes of one device (docs/ipc.md). It has the rules of the
 * wire: capped, decoded by schema on both ends, errors as `{ code, message, retryable }`.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { ACK_STATUSES, ORDER_TYPES } from '../names.ts';
import {
  CompactJws,
  Count,
  DeviceId,
  DurationMs,
  EpochMs,
  JsonObject,
  MessageId,
  Name,
  Seq,
  SessionId,
  Text,
  Uuid,
  WireErrorSchema,
} from '../primitives.ts';
import { Ed25519Jwk } from '../http/enrolment.ts';
import { LedgerEntry } from '../wire/queue-state.ts';
import { TrustBundleJws } from '../wire/trust.ts';
import { Fingerprint } from '../wire/tunnel.ts';
import {
  CONFIG_OUTCOMES,
  CONFIG_PHASES,
  CONFIGURED_APPS,
  CONFIG_SOURCES,
  ENQUEUED_TYPES,
  HUB_APPS,
  LONGEST_CONFIG_HOLD_MS,
  LINK_STATES,
  MAX_AUTHORITY_CHARS,
  TRUSTED_BY,
} from './hub-apps.ts';

export * from './hub-apps.ts';

const OrderTypeName = Type.Enum([...ORDER_TYPES]);

/** Server time as the gateway carries it (protocol, section 4), at the moment of the message; absent: none since boot. */
const ServerTime = Type.Optional(EpochMs);

/** An order as its app sees it. `state` is `started` when an earlier attempt was cut off: the app decides what then. */
export const HandedOrder = Type.Object({
  orderId: MessageId,
  type: OrderTypeName,
  payload: JsonObject,
  state: Type.Enum(['received', 'started']),
  attempt: Count,
  receivedAt: EpochMs,
  serverTime: ServerTime,
});
export type HandedOrder = Static<typeof HandedOrder>;

/** Room for `idempotent:` before it in a capability. */
const CommandName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,116}$' });

/** Commands that may run again after a crash: told to the server as `idempotent:NAME` (protocol, section 3). */
const IdempotentCommands = Type.Array(CommandName, { maxItems: 256 });
const Level = Type.Enum(['debug', 'info', 'warn', 'error']);

const Empty = Type.Object({});

const Register = {
  request: Type.Object({
    app: Type.Enum([...HUB_APPS]),
    version: Text,
    pid: Count,
    hubVersion: Count,
    orderTypes: Type.Array(OrderTypeName),
    idempotent: Type.Optional(IdempotentCommands),
  }),
  response: Type.Object({
    deviceId: Type.Optional(Text),
    bootId: Text,
    link: Type.Enum([...LINK_STATES]),
    serverTime: ServerTime,
  }),
};

/** One message that an app hands over, as a line with its members in this order. */
export const EnqueuedMessage = Type.Object({
  id: MessageId,
  type: Type.Enum([...ENQUEUED_TYPES]),
  sentAt: EpochMs,
  payload: JsonObject,
});
export type EnqueuedMessage = Static<typeof EnqueuedMessage>;

/**
 * Durable hand-over of messages, one a line. `producer` names one life of the app and `batch` counts its calls, so that a
 * call repeated after a lost answer is stored once; with `after` it is stored only behind that batch, so that two may be
 * under way. Answered only when everything is on disk; an error means that nothing was.
 */
const Enqueue = {
  request: Type.Object({
    producer: Uuid,
    batch: Seq,
    after: Type.Optional(Seq),
    /** Its telemetry is of the past: it goes into lane `history` while the link is up, too. */
    past: Type.Optional(Type.Boolean()),
  }),
  line: EnqueuedMessage,
  response: Type.Object({ accepted: Count, duplicate: Type.Boolean() }),
};

/** A change of an order's state by the app that has the effect; answered when state and ack are on disk. */
const ReportOrder = {
  request: Type.Object({
    orderId: MessageId,
    status: Type.Enum([
      'started',
      'succeeded',
      'failed',
      'cancelled',
      'rejected',
      'expired',
      'indeterminate',
    ]),
    at: EpochMs,
    /** With `started`: the attempt that it begins. A repeat of the one on disk is answered alike and not counted twice. */
    attempt: Type.Optional(Count),
    result: Type.Optional(Type.Unknown()),
    error: Type.Optional(WireErrorSchema),
  }),
  response: Type.Object({ attempt: Count }),
};

/** A job of an app's scheduler. Times in epoch milliseconds. */
export const JobState = Type.Object({
  name: Name,
  schedule: Text,
  state: Type.Enum(['running', 'waiting']),
  nextAt: Type.Optional(EpochMs),
  startedAt: Type.Optional(EpochMs),
  endedAt: Type.Optional(EpochMs),
  succeededAt: Type.Optional(EpochMs),
  lastError: Type.Optional(Text),
  runs: Count,
  failures: Count,
  skipped: Count,
});
export type JobState = Static<typeof JobState>;

/** Something that an app took, but perhaps not as it was meant: since its start, and of the last time which it was. */
export const AppNote = Type.Object({ code: Name, count: Count, detail: Text });
export type AppNote = Static<typeof AppNote>;

const Notes = Type.Optional(Type.Array(AppNote, { maxItems: 16 }));
const Jobs = Type.Optional(Type.Array(JobState, { maxItems: 64 }));

/** Where only minutes or hours are left of the past, or a resolution was asked for, a point is an aggregate. */
const HistoryPoint = Type.Object({
  at: EpochMs,
  value: Type.Optional(
    Type.Unsafe<number | string | boolean>({ type: ['number', 'string', 'boolean'], maxLength: 1024 }),
  ),
  min: Type.Optional(Type.Number()),
  max: Type.Optional(Type.Number()),
  avg: Type.Optional(Type.Number()),
  count: Type.Optional(Count),
});

/** A look into the collector's local history: without `series`, which there are. */
const LocalHistory = {
  request: Type.Object({
    series: Type.Optional(Name),
    from: EpochMs,
    to: EpochMs,
    resolutionMs: Type.Optional(DurationMs),
  }),
  response: Type.Object({
    names: Type.Array(Name, { maxItems: 100_000 }),
    unit: Type.Optional(Text),
    points: Type.Array(HistoryPoint, { maxItems: 100_000 }),
    /** There is more: to be asked again from here. */
    next: Type.Optional(EpochMs),
  }),
};

/** How a process fares; the delay is the longest since it was told last. */
const Vitals = {
  rssBytes: Count,
  eventLoopDelayMs: Type.Number({ minimum: 0 }),
};

export const LaneStatus = Type.Object({
  messages: Count,
  bytes: Count,
  first: Seq,
  next: Seq,
  oldestAt: Type.Optional(EpochMs),
  ledger: LedgerEntry,
});

/** A release that is being tried out: a restart of one of its processes would pass for a crash of it. */
export const TrialView = Type.Object({
  /** Name and version. */
  release: Text,
  /** Their names in pm2. */
  processes: Type.Array(Name, { maxItems: 64 }),
  /** When it is over at the latest, whatever happens. */
  endsBy: EpochMs,
});
export type TrialView = Static<typeof TrialView>;

/** The device's own view, as `bowline status` shows it. */
export const DeviceStatus = Type.Object({
  device: Type.Object({
    id: Type.Optional(Text),
    bootId: Text,
    agentVersion: Text,
    uptimeSeconds: Type.Number(),
    trustedBy: Type.Optional(Type.Enum([...TRUSTED_BY])),
  }),
  link: Type.Object({
    state: Type.Enum([...LINK_STATES]),
    since: EpochMs,
    server: Type.Optional(Text),
    sessionId: Type.Optional(Text),
    roundTripMs: Type.Optional(Type.Number()),
    attempts: Count,
    nextAttemptInMs: Type.Optional(Type.Number()),
    lastError: Type.Optional(Type.Object({ at: EpochMs, stage: Text, code: Text, message: Text })),
  }),
  queue: Type.Object({ epoch: Text, lanes: Type.Record(Type.String(), LaneStatus), deadLetters: Count }),
  apps: Type.Record(
    Type.String(),
    Type.Object({
      state: Text,
      version: Type.Optional(Text),
      pid: Type.Optional(Count),
      since: EpochMs,
      jobs: Jobs,
      notes: Notes,
      rssBytes: Type.Optional(Vitals.rssBytes),
      eventLoopDelayMs: Type.Optional(Vitals.eventLoopDelayMs),
      /** How often it came back as another process, since the gateway started. */
      restarts: Type.Optional(Count),
    }),
  ),
  gateway: Type.Optional(Type.Object({ pid: Count, startedAt: EpochMs, ...Vitals })),
  trial: Type.Optional(TrialView),
  orders: Type.Array(
    Type.Object({
      orderId: Text,
      type: Text,
      name: Type.Optional(Text),
      status: Type.Enum([...ACK_STATUSES]),
      attempt: Count,
      receivedAt: EpochMs,
      endedAt: Type.Optional(EpochMs),
      error: Type.Optional(WireErrorSchema),
    }),
  ),
  counters: Type.Record(Type.String(), Count),
});
export type DeviceStatus = Static<typeof DeviceStatus>;

/** One attempt that failed, or one link that ended: why the device was dark. */
export const LinkAttempt = Type.Object({
  at: EpochMs,
  stage: Text,
  code: Text,
  message: Text,
  lastedMs: Type.Number({ minimum: 0 }),
});
export type LinkAttempt = Static<typeof LinkAttempt>;

/** The device's key and what a server made of it. The thumbprints are those of RFC 7638. */
export const IdentityView = Type.Object({
  publicKey: Ed25519Jwk,
  thumbprint: Text,
  enrolment: Type.Optional(
    Type.Object({
      deviceId: Text,
      name: Text,
      groups: Type.Array(Text),
      serverId: Text,
      link: Text,
      at: Type.Optional(EpochMs),
      server: Type.Optional(Text),
      rootThumbprint: Type.Optional(Text),
      trustedBy: Type.Optional(Type.Enum([...TRUSTED_BY])),
    }),
  ),
});
export type IdentityView = Static<typeof IdentityView>;

const Link = Type.Object({ state: Type.Enum([...LINK_STATES]), since: EpochMs, serverTime: ServerTime });

/** A message that will not be sent by itself any more, without its text: why, and under which number it can be named. */
export const DeadLetterView = Type.Object({
  number: Count,
  lane: Text,
  seq: Seq,
  id: Text,
  type: Text,
  bytes: Count,
  code: Text,
  detail: Text,
  at: EpochMs,
});
export type DeadLetterView = Static<typeof DeadLetterView>;

const Fault = Type.Object({ key: Text, message: Text });
const Faults = Type.Array(Fault, { maxItems: 256 });
const Keys = Type.Array(Text, { maxItems: 4096 });

/** What an app is configured to, each value with where it comes from (docs/configuration.md). */
export const ConfigView = Type.Object({
  /** Of the cloud's document whose section is in force. */
  version: Type.Optional(Count),
  hash: Text,
  /** Why a section that the cloud sent is not in force. */
  problem: Type.Optional(Text),
  /** Why the local override is not in force as it is written: it was tried. */
  refused: Type.Optional(Text),
  entries: Type.Array(
    Type.Object({
      key: Text,
      value: Type.Unknown(),
      source: Type.Enum([...CONFIG_SOURCES]),
      unit: Type.Optional(Text),
      description: Type.Optional(Text),
      localOnly: Type.Optional(Type.Boolean()),
      restart: Type.Optional(Type.Boolean()),
      carriesLink: Type.Optional(Type.Boolean()),
    }),
    { maxItems: 4096 },
  ),
});
export type ConfigView = Static<typeof ConfigView>;

/** How a document of the cloud's ended on this device. */
const KeptDocument = Type.Object({
  version: Count,
  at: EpochMs,
  outcome: Type.Enum([...CONFIG_OUTCOMES]),
  apps: Type.Array(Text),
  /** With `rolledBack`: who could not have it, and why. */
  why: Type.Optional(Text),
});

const ConfigEnd = Type.Object({
  version: Count,
  status: Type.Enum(['applied', 'unchanged', 'rejected', 'rolledBack']),
  errors: Type.Array(Type.Object({ app: Text, key: Text, message: Text }), { maxItems: 256 }),
  /** A link was needed to keep it. */
  tried: Type.Optional(Type.Boolean()),
});

/** What a person says of a change that carries the link. */
const Trial = {
  /** How long a new link may take; absent: what the configuration says. */
  confirmWithinMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600_000 })),
  /** Kept at once: there is no link now that could prove it. */
  untried: Type.Optional(Type.Boolean()),
};

/** What an override, or a section, would change. */
const WouldChange = { faults: Faults, restart: Keys, link: Keys };
const OverrideHash = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Configured = Type.Enum([...CONFIGURED_APPS]);

const Numbers = Type.Array(Count, { minItems: 1, maxItems: 10_000 });

/** What an app may ask of the hub. */
export const HUB_REQUESTS = {
  register: Register,
  enqueue: Enqueue,
  reportOrder: ReportOrder,
  /**
   * The next trust bundles above a version, oldest first, at most 8: ask again above the last one until none comes; and which
   * device this is, once it is enrolled. The asking app verifies each bundle from the one that it holds.
   */
  trustBundles: {
    request: Type.Object({ above: Count }),
    response: Type.Object({
      bundles: Type.Array(TrustBundleJws, { maxItems: 8 }),
      device: Type.Optional(Type.Object({ deviceId: DeviceId, groups: Type.Array(Name, { maxItems: 64 }) })),
    }),
  },
  /** The commands that may run again have changed since the executor registered; on its socket only. */
  idempotent: { request: Type.Object({ commands: IdempotentCommands }), response: Empty },
  /** How much an app, or the gateway itself, logs from now until it ends; on the executor's socket only. */
  setLogLevel: {
    request: Type.Object({ app: Type.Enum(['ws-gateway', ...HUB_APPS]), level: Level }),
    response: Type.Object({ previous: Level }),
  },
  /**
   * The device key's signature for the host key of an ssh session (protocol, section 8): the ssh-broker's alone, and of this
   * shape alone.
   */
  proveHostKey: {
    request: Type.Object({ sessionId: SessionId, hostKeySha256: Fingerprint }),
    response: Type.Object({ proof: CompactJws }),
  },
  /**
   * The way out that the link takes, for who goes out beside it: the ota-updater's and the ssh-broker's alone, for the address may
   * hold a password (docs/adr/0040).
   */
  linkProxy: {
    request: Empty,
    response: Type.Object({
      /** Absent: directly. */
      proxy: Type.Optional(Text),
      /** PEM. */
      ca: Type.Optional(Type.String({ maxLength: MAX_AUTHORITY_CHARS })),
      noProxy: Type.Array(Text, { maxItems: 64 }),
    }),
  },
  status: { request: Empty, response: DeviceStatus },
  /** Oldest first; for `bowline status --link`. */
  linkLog: { request: Empty, response: Type.Object({ attempts: Type.Array(LinkAttempt) }) },
  /** This and the next three are the CLI's alone: `bowline identity`, `enroll`, `reset`. */
  identity: { request: Empty, response: IdentityView },
  /** Refused with the codes of enrolment (docs/errors.md). Without `server`: the one of the configuration. */
  enrol: {
    request: Type.Object({
      server: Type.Optional(Text),
      token: Type.Optional(Text),
      trustOnFirstUse: Type.Boolean(),
      newKey: Type.Boolean(),
    }),
    response: IdentityView,
  },
  /** What `forget` would remove: files, and how much in them was not delivered or has not ended. */
  losses: {
    request: Empty,
    response: Type.Object({ paths: Type.Array(Text), messages: Count, orders: Count }),
  },
  /** Answered when it is durable that the device will forget; then the gateway starts anew and does. */
  forget: { request: Empty, response: Empty },
  /** Newest first. These four are the CLI's alone: `bowline dead-letters`. */
  deadLetters: { request: Empty, response: Type.Object({ letters: Type.Array(DeadLetterView) }) },
  /** The message of one dead letter, as it would have been sent. Refused with `unknown-dead-letter`. */
  deadLetter: { request: Type.Object({ number: Count }), response: Type.Object({ message: JsonObject }) },
  /** Puts them at the end of their lanes: same id, new seq. Answers the numbers that there were. */
  resendDeadLetters: {
    request: Type.Object({ numbers: Numbers }),
    response: Type.Object({ numbers: Type.Array(Count) }),
  },
  /** The CLI's alone: asks the telemetry-collector. `bowline history`. */
  localHistory: LocalHistory,
  /** The CLI's alone: has an app run a job of its schedule now. Answered when it has begun. */
  runJob: { request: Type.Object({ app: Type.Enum([...HUB_APPS]), job: Name }), response: Empty },
  /** Forgets them for good. */
  purgeDeadLetters: {
    request: Type.Object({ numbers: Numbers }),
    response: Type.Object({ numbers: Type.Array(Count) }),
  },
  /** What all apps are configured to, and what of the cloud's documents is kept, newest first. These three are the CLI's alone: `bowline config`. */
  config: {
    request: Empty,
    response: Type.Object({
      /** Of the document in force; absent: the cloud has sent none. */
      version: Type.Optional(Count),
      hash: Text,
      phase: Type.Enum([...CONFIG_PHASES]),
      /** With `applying` and `returning`: the document that it is about, and how long it has. */
      candidate: Type.Optional(Count),
      /** And what is in force if it is not kept. */
      previous: Type.Optional(Count),
      /** It is about the gateway's local override, no document. */
      override: Type.Optional(Type.Boolean()),
      remainingMs: Type.Optional(Count),
      documents: Type.Array(KeptDocument),
      apps: Type.Record(
        Type.String(),
        Type.Object({ view: Type.Optional(ConfigView), away: Type.Optional(Text) }),
      ),
    }),
  },
  /** Refused with `unknown-config-version`. */
  configDocument: {
    request: Type.Object({ version: Count }),
    response: Type.Object({ version: Count, sections: Type.Record(Type.String(), JsonObject) }),
  },
  /** Goes back to a document that is kept; 0: none. Answered at its end. Refused with `unknown-config-version`, `config-busy`, `update-busy`. */
  rollbackConfig: { request: Type.Object({ version: Count, ...Trial }), response: ConfigEnd },
  /**
   * The ota-updater's alone: while Bowline itself is on trial no document of the cloud begins, for the restart of an app would
   * pass for a crash. A gateway that does not know it refuses it (`unsupported`), which changes nothing.
   *
   * @param forMs from now, at least half of it; 0: it is over.
   */
  holdConfig: {
    request: Type.Object({ forMs: Type.Integer({ minimum: 0, maximum: LONGEST_CONFIG_HOLD_MS }) }),
    /** One has begun already. */
    response: Type.Object({ underWay: Type.Boolean() }),
  },
  /**
   * The CLI's alone, as the next: what an app has against a local override, and what it would change. Changes nothing. Refused
   * with `update-busy` while the restart that it needs would pass for a crash of a release on trial.
   *
   * @param prepare it is about to be written: what carries the link does not count before it is tried, whatever happens meanwhile.
   */
  checkOverride: {
    request: Type.Object({
      app: Configured,
      override: JsonObject,
      prepare: Type.Optional(Type.Boolean()),
    }),
    /** `inForce`: what counts of it now, where the file says something that was refused: the change goes back to that. */
    response: Type.Object({ ...WouldChange, keys: Keys, inForce: Type.Optional(JsonObject) }),
  },
  /**
   * Has an app take its local override as it is written in its file: nobody but who may write that can change it. What carries
   * the link is tried out. Answered at its end. Refused with `override-elsewhere`, `config-busy`, `update-busy`.
   *
   * @param hash of what was written.
   */
  takeOverride: {
    request: Type.Object({ app: Configured, hash: OverrideHash, ...Trial }),
    response: Type.Object({ ...ConfigEnd.properties, restarts: Type.Boolean() }),
  },
} as const satisfies Record<string, { request: TSchema; response: TSchema }>;

/** What the hub may ask of an app. `order` is answered when the app has taken note, not when it is done. */
export const APP_REQUESTS = {
  order: { request: HandedOrder, response: Empty },
  setLogLevel: { request: Type.Object({ level: Level }), response: Type.Object({ previous: Level }) },
  cancelOrder: {
    request: Type.Object({ orderId: MessageId }),
    response: Type.Object({ outcome: Type.Enum(['cancelled', 'stopping', 'too-late', 'unknown-order']) }),
  },
  /** The first of two phases: what the app has against a section of the cloud's, and what it would change. Changes nothing. */
  validateConfig: {
    request: Type.Object({ section: JsonObject }),
    response: Type.Object(WouldChange),
  },
  /** The second: in force, and durable in the app's own folder, when it is answered without faults. */
  applyConfig: {
    request: Type.Object({ version: Count, section: JsonObject }),
    response: Type.Object({
      faults: Faults,
      hash: Text,
      setHash: Type.Optional(Text),
      restarts: Type.Boolean(),
    }),
  },
  showConfig: { request: Empty, response: ConfigView },
  checkOverride: {
    request: Type.Object({ override: JsonObject }),
    response: Type.Object({ ...WouldChange, keys: Keys }),
  },
  /** The app reads its file anew. Refused with `override-elsewhere`. */
  takeOverride: {
    request: Type.Object({ hash: OverrideHash }),
    response: Type.Object({ faults: Faults, keys: Keys, restarts: Type.Boolean() }),
  },
  localHistory: LocalHistory,
  runJob: { request: Type.Object({ job: Name }), response: Empty },
} as const satisfies Record<string, { request: TSchema; response: TSchema }>;

/** One-way, app to hub; may be lost with the connection. */
export const HUB_NOTIFICATIONS = {
  progress: Type.Object({
    orderId: MessageId,
    percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
    note: Type.Optional(Text),
    data: Type.Optional(JsonObject),
  }),
  /** What the app is configured to, told when it registers: all of it, and what is set without the defaults. */
  configState: Type.Object({
    hash: Text,
    setHash: Type.Optional(Text),
    problem: Type.Optional(Text),
  }),
  /** With `jobs`: how those of its scheduler stand; with `notes`: what its users should know. Each whenever it has changed. */
  appState: Type.Object({ state: Text, jobs: Jobs, notes: Notes }),
  /** Of the app's process, once it has registered and every half minute. */
  vitals: Type.Object(Vitals),
  /** The ota-updater's alone, at each look at a release on trial: it counts for so long; 0: it is over. */
  trial: Type.Object({
    ...TrialView.properties,
    forMs: Type.Integer({ minimum: 0, maximum: LONGEST_CONFIG_HOLD_MS }),
  }),
} as const satisfies Record<string, TSchema>;

/** One-way, hub to app. */
export const APP_NOTIFICATIONS = {
  link: Link,
  /** There is a new trust bundle, or the device is enrolled now: to be asked for. */
  trust: Type.Object({ version: Count }),
  /** The way out of the link is another now: to be asked for by who may. */
  linkProxy: Empty,
} as const satisfies Record<string, TSchema>;

export type LaneStatus = Static<typeof LaneStatus>;

/** A request whose name has a `line` brings lines of JSON with it: decoded as `messages`, and as they came as `texts`. */
type WithLines<Request, Entry> = Entry extends { line: infer Line extends TSchema }
  ? Request & { messages: Static<Line>[]; texts: string[] }
  : Request;
type RequestsOf<T extends Record<string, { request: TSchema; response: TSchema }>> = {
  [K in keyof T]: { request: WithLines<Static<T[K]['request']>, T[K]>; response: Static<T[K]['response']> };
};
type NotificationsOf<T extends Record<string, TSchema>> = { [K in keyof T]: Static<T[K]> };

export type HubRequests = RequestsOf<typeof HUB_REQUESTS>;
export type AppRequests = RequestsOf<typeof APP_REQUESTS>;
export type HubNotifications = NotificationsOf<typeof HUB_NOTIFICATIONS>;
export type AppNotifications = NotificationsOf<typeof APP_NOTIFICATIONS>;
