import type { Lane } from '@bowline/messages';
import type { Step } from './explore.ts';
import type { Entry, SentFrame } from './real-code.ts';

export const LANES = ['results', 'events', 'telemetry', 'history'] as const satisfies readonly Lane[];
export const forEachLane = <T>(of: (lane: Lane) => T): Record<Lane, T> => ({
  results: of('results'),
  events: of('events'),
  telemetry: of('telemetry'),
  history: of('history'),
});

/** What a durable message says; its name in the model is also its id. */
export type Body =
  | { type: 'event' }
  /** An event that breaks the contract: the server refuses it for good. */
  | { type: 'bad' }
  | { type: 'telemetry' }
  | { type: 'ack'; orderId: string; status: string; attempt: number }
  | { type: 'gap'; lane: Lane; from?: number; to?: number; count: number };

export interface Held {
  seq: number;
  id: string;
  body: Body;
}

/** What the device has on its disk: the contents of the durable queue, in short. */
export interface DeviceDisk {
  epoch: string;
  lanes: Record<Lane, { first: number; next: number; held: readonly Held[] }>;
  /** Highest seq of each lane that may have been sent in this epoch. */
  offered: Record<Lane, number>;
  received: number;
  serverEpoch?: string;
  journal: Readonly<Record<string, Entry>>;
  /** Dead letters. */
  dead: readonly string[];
}

export interface HelloFrame {
  kind: 'hello';
  epoch: string;
  lanes: Record<Lane, { first: number; next: number }>;
  received: number;
  serverEpoch?: string;
}

/** One message, or a batch of consecutive ones. */
export interface MessagesFrame {
  kind: 'messages';
  lane: Lane;
  messages: readonly Held[];
}

export type UpFrame = HelloFrame | MessagesFrame | { kind: 'receipt'; orders: number };

export type DownFrame =
  | { kind: 'welcome'; received: Partial<Record<Lane, number>>; serverEpoch: string; window: number }
  | { kind: 'receipt'; lanes: Partial<Record<Lane, number>> }
  | { kind: 'reject'; id: string }
  | OrderFrame;

export interface OrderFrame {
  kind: 'order';
  orderId: string;
  seq: number;
  name: string;
  /** Of a cancel: the order that it calls off. */
  target?: string;
  afterStart: boolean;
}

/** The device's end of a link: gone with the process. */
export interface DeviceEnd {
  hello: HelloFrame;
  online: boolean;
  /** Most messages in flight; 0 before the welcome. */
  window: number;
  /** Whether several messages go in one frame. */
  batches: boolean;
  sentUpTo: Record<Lane, number>;
  frames: readonly SentFrame[];
}

/** The server's end of a link: gone with the process. */
export interface ServerEnd {
  /** The session's own copy of what is known of the uplink, as JSON; absent before the hello. */
  uplink?: string;
  /** Counts the epochs of the device, as the server does. */
  generation?: number;
  ordersSentUpTo: number;
  /** A close was sent. */
  closed: boolean;
  /** Receipted already, not on disk yet: only where a rule is left out. */
  unwritten: readonly MessagesFrame[];
}

export interface Link {
  up: readonly UpFrame[];
  down: readonly DownFrame[];
  device: DeviceEnd | undefined;
  server: ServerEnd | undefined;
  /** It broke: what is still on its way may be lost at any moment. */
  cut: boolean;
}

/** Where an order stands in the process that has its effect. */
export interface Work {
  at: 'taken' | 'may-run' | 'ran' | LeftOut;
  state: string;
  attempt: number;
  /** It was told to stop: the effect does not begin, or is broken off. */
  stop?: true;
  /** Of what is not on the disk, and what comes after that. */
  entry?: Entry;
  next?: Work;
}

/** Only where a rule is left out: it ran before its start was reported; its ack, or all of it, is not on the disk. */
type LeftOut = 'ran-early' | 'owes-ack' | 'unwritten';

/** What the gateway's order desk knows and the disk does not: gone with the process. */
export interface Desk {
  /** An order whose app was told of it before it is stored; `started`: only where a rule is left out, its start was answered. */
  held?: { entry: Entry; started?: Entry };
  /** Orders that are being stopped, and the cancel that asked for it. */
  stopping: Readonly<Record<string, string>>;
  /** Only where a rule is left out: cancels that came in this life of the process. */
  fresh?: readonly string[];
}

/** What really happened, known to nobody in the world: by it the properties are judged. */
export interface History {
  created: readonly string[];
  /** On the disk of the server as it is now, or as it was before it was restored. */
  ever: readonly string[];
  /** On the disk of the server as it is now. */
  taken: readonly string[];
  /** Went with a device's store. */
  lost: readonly string[];
  /** Refused for good by the server. */
  refused: readonly string[];
  /** Dropped by a full lane. */
  dropped: readonly string[];
  /** `generation lane seq` → the message that the server, as it is now, has seen under it. */
  seen: Readonly<Record<string, string>>;
  /** Runs of each order: in which life of the device's store. */
  runs: Readonly<Record<string, readonly number[]>>;
  deviceLife: number;
  deviceEpochs: number;
  serverEpochs: number;
  /** Something was restored or lost, so holes are real. */
  rewound: boolean;
  alarms: readonly string[];
}

export interface World {
  device: DeviceDisk;
  desk: Desk;
  work: Readonly<Record<string, Work>>;
  links: readonly Link[];
  /** Links of the server's other device, if there is one. */
  neighbours: readonly Link[];
  /** Number of the server's disk, see Server. */
  server: number;
  deviceBackup: DeviceDisk | undefined;
  serverBackup: { disk: number; taken: History['taken']; seen: History['seen'] } | undefined;
  /** Messages and orders that are still to come, in this order. */
  todo: Readonly<Record<'events' | 'telemetry', number>> & {
    orders: readonly string[];
    foreignAck?: true | undefined;
    falseClaim?: true | undefined;
  };
  faultsLeft: number;
  history: History;
}

/** One step. */
export interface Move extends Step<World> {
  /** The server is set back to a copy: what it knew it may know no more. */
  rewinds?: true;
}

const texts = new WeakMap<object, string>();

/** Parts that a step leaves alone are the same objects as before, so their text is made once. */
function textOf(part: object): string {
  let text = texts.get(part);
  if (text === undefined) {
    text = JSON.stringify(part);
    texts.set(part, text);
  }
  return text;
}

/** Equal for equal worlds: members are always made in the same order. */
export const keyOf = (world: World): string =>
  [
    textOf(world.device),
    textOf(world.desk),
    textOf(world.work),
    ...world.links.map(textOf),
    world.server,
    world.deviceBackup === undefined ? '' : textOf(world.deviceBackup),
    world.serverBackup === undefined ? '' : textOf(world.serverBackup),
    textOf(world.todo),
    world.faultsLeft,
    textOf(world.history),
  ].join('|');
