import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Hello, Lane, Welcome } from '@bowline/messages';
import { WORKSPACE } from '../test/run.ts';

/** A journal entry as far as the decisions look at it; the model adds a mark of its own. */
export interface Entry {
  orderId: string;
  seq: number;
  type: string;
  payloadJson: string;
  status: string;
  attempt: number;
  receivedAt: number;
  endedAt?: number;
  /** Not the device's: the server had already been told of a start when it sent this order. */
  afterStart?: boolean;
}

export interface SentFrame {
  lane: Lane;
  fromSeq: number;
  toSeq: number;
  messages: number;
  bytes: number;
}

export interface AckTracker {
  sentUpTo(lane: Lane): number;
  inFlight(): { messages: number; bytes: number };
  unreceipted(): readonly SentFrame[];
  sent(frame: SentFrame, monotonicMs: number): void;
  receipted(lane: Lane, seq: number, monotonicMs: number): 'progress' | 'nothing' | 'beyond';
}

interface OutgoingQueue {
  next(
    monotonicMs: number,
  ):
    | { kind: 'frame'; frame: { lane: Lane; fromSeq: number; toSeq: number; messages: number } }
    | { kind: 'too-large' | 'nothing' };
}

/** Consecutive messages of a lane, as the durable queue hands them out. */
export interface BatchCut {
  lane: Lane;
  from: number;
  to: number;
  messages: number;
  body: Buffer;
}

interface LinkLimits {
  frameBytes: number;
  inflightMessages: number;
  inflightBytes: number;
}

type Resumption =
  | { kind: 'restored'; lane: Lane }
  | {
      kind: 'resume';
      receipts: Partial<Record<Lane, number>>;
      sentUpTo: Record<Lane, number>;
      newServerEpoch: boolean;
    };

type Verdict = { kind: 'duplicate' | 'accept' | 'refuse' } | { kind: 'report-again'; entry: Entry };

export interface Step {
  kind: string;
  attempt?: number;
  status?: string;
}

export interface OrderRecord {
  orderId: string;
  seq: number;
  type: string;
  payload: Record<string, unknown>;
  createdAt: number;
  status: string;
  attempt: number;
  endedHere?: boolean;
}

export interface OrderBook {
  isLinked: (deviceId: string) => boolean;
  get(orderId: string): { orderId: string; status: string } | undefined;
  cancel(order: object, serverEpoch: string): Promise<{ orderId: string }>;
  create(
    deviceId: string,
    serverEpoch: string,
    order: { type: string; payload: Record<string, unknown> },
  ): Promise<{ orderId: string }>;
  waiting(deviceId: string, afterSeq: number, limit: number): OrderRecord[];
  sent(order: OrderRecord): void;
  receipted(deviceId: string, serverEpoch: string, seq: number): void;
  ack(deviceId: string, ack: object): boolean;
}

export interface UplinkState {
  generation: number;
  lanes: Record<Lane, { received: number; holes: { from: number; to: number }[] }>;
}

interface OpenedLink {
  uplink: UplinkState;
  downlinkReceived: number;
  serverEpoch: string;
  resumed: boolean;
}

interface Stored {
  received: number;
  rejects: readonly { code: string; message: { id: string } }[];
}

/** A session as the registry of links sees it. */
export interface Claimant {
  readonly deviceId: string;
  supersede(): void;
}

/** The part of the project that the model runs as it is; the names and files are the project's. */
export interface RealCode {
  resume(
    hello: Pick<Hello, 'lanes' | 'serverEpoch'>,
    welcome: Pick<Welcome, 'received' | 'serverEpoch'>,
    offered: Partial<Record<Lane, number>>,
  ): Resumption;
  AckTracker: new (sentUpTo: Record<Lane, number>) => AckTracker;
  clampLimits(welcome: Pick<Welcome, 'heartbeatSeconds' | 'limits'>): LinkLimits;
  OutgoingQueue: new (
    queue: { cut(lane: Lane, afterSeq: number, limit: { messages: number }): BatchCut | undefined },
    acks: Pick<AckTracker, 'sentUpTo' | 'inFlight'>,
    limits: LinkLimits,
    pace: object,
    perFrame: number,
  ) => OutgoingQueue;
  dispatch(
    order: { orderId: string; seq: number; type: string; payload: Record<string, unknown> },
    context: {
      received: number;
      known: Entry | undefined;
      serverNowMs: number | undefined;
      supported: boolean;
    },
  ): Verdict;
  applyReport(
    entry: Entry,
    report: { status: string; at: number; attempt?: number },
    bootId: string,
  ): Entry | undefined;
  planCommand(
    order: { orderId: string; payload: { name: string }; state: string; attempt: number },
    context: {
      commands: readonly { name: string; idempotent: boolean; check: () => boolean }[];
      policy: { judge: () => undefined; judgeParams: () => undefined; longestTimeoutMs: () => number };
      serverNowMs: number;
      commandTimeoutMs: number;
      maxRuns: number;
    },
  ): { kind: 'steps'; steps: Step[] } | { kind: 'await-server-time' };
  cancelOutcome(
    phase: { kind: 'waiting' | 'running' | 'ending' } | undefined,
  ): 'cancelled' | 'stopping' | 'too-late' | 'unknown-order';
  openLink(services: object, deviceId: string, hello: Hello): Promise<OpenedLink>;
  welcomeOf(services: object, sessionId: string, link: OpenedLink): Welcome;
  UplinkIntake: new (
    services: object,
    deviceId: string,
    state: UplinkState,
  ) => { store(messages: readonly object[], frame: Uint8Array): Stored };
  LinkRegistry: new () => { enter(session: Claimant): void; claim(session: Claimant): unknown };
  OrderBook: new (store: object, ports: object) => OrderBook;
  UplinkLog: new (store: object, limits: Record<Lane, number>) => object;
  DeadLetters: new (store: object) => object;
  limits: object;
}

const load = async (path: string): Promise<Record<string, unknown>> =>
  (await import(/* @vite-ignore */ pathToFileURL(join(WORKSPACE, path)).href)) as Record<string, unknown>;

const FILES = {
  resume: 'apps/ws-gateway/src/connection/resume.ts',
  AckTracker: 'apps/ws-gateway/src/ack-tracker.ts',
  clampLimits: 'apps/ws-gateway/src/connection/resume.ts',
  OutgoingQueue: 'apps/ws-gateway/src/outgoing-queue.ts',
  dispatch: 'apps/ws-gateway/src/dispatcher/dispatcher.ts',
  applyReport: 'apps/ws-gateway/src/dispatcher/order-state.ts',
  planCommand: 'apps/command-executor/src/core/plan-command.ts',
  cancelOutcome: 'apps/command-executor/src/core/order-phase.ts',
  openLink: 'libs/server-sdk/src/link/opening.ts',
  welcomeOf: 'libs/server-sdk/src/link/opening.ts',
  UplinkIntake: 'libs/server-sdk/src/link/uplink-intake.ts',
  LinkRegistry: 'libs/server-sdk/src/link/link-registry.ts',
  OrderBook: 'libs/server-sdk/src/orders/order-book.ts',
  UplinkLog: 'libs/server-sdk/src/uplink/uplink-log.ts',
  DeadLetters: 'libs/server-sdk/src/uplink/dead-letters.ts',
} as const;

/**
 * Loads what the model runs as it is. By path, because a tool is no part of an app and shares no code with one: it opens
 * both sides' files as a test does that looks at them (docs/adr/0008). A name that is gone fails here.
 */
export async function loadRealCode(): Promise<RealCode> {
  const parts = await Promise.all(
    Object.entries(FILES).map(async ([name, path]) => {
      const value = (await load(path))[name];
      if (typeof value !== 'function') throw new TypeError(`${path} has no ${name}`);
      return [name, value] as const;
    }),
  );
  const { DEFAULT_LINK_LIMITS } = await load('libs/server-sdk/src/link/link-limits.ts');
  return { ...Object.fromEntries(parts), limits: DEFAULT_LINK_LIMITS } as unknown as RealCode;
}
