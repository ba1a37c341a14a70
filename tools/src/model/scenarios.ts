export type FaultName =
  | 'cut'
  | 'server-crash'
  | 'executor-crash'
  | 'gateway-crash'
  | 'power-cut'
  | 'answer-lost'
  | 'expiry'
  | 'full-lane'
  | 'device-restored'
  | 'device-lost'
  | 'server-restored'
  | 'server-restored-unnoticed';

export interface Scenario {
  /** What it is about, for the page. */
  about: string;
  events: number;
  telemetry: number;
  /** Which of the events, counted from 1, the server refuses for good. */
  refused?: readonly number[];
  /** It reports the end of an order that it never got: of the first device's. */
  foreignAck?: true;
  /** Once it says that it holds orders which it was never sent. */
  falseClaim?: true;
  /** What there is to do on a second device of the same server. */
  second?: Scenario;
  /** How many messages may be in flight; with it, what waits goes out in batches. Default: no end of it, one a frame. */
  window?: number;
  /** Commands: `once` is not idempotent, `again` is; and `cancel`, which calls the first one off. */
  orders: readonly ('once' | 'again' | 'cancel')[];
  /** An app that has nothing in hand is told of an order before it is stored. */
  toldFirst?: true;
  faults: readonly FaultName[];
  /** Whether an order is given only when the one before has ended. */
  inTurn?: boolean;
  /** Most faults in one run. */
  mostFaults: number;
  /** When the copy is made that a restore brings back: at any moment, or while there is nothing to do. */
  backup?: 'any' | 'idle';
}

export const SCENARIOS = {
  uplink: {
    about: 'two events; the link breaks and the server is killed',
    events: 2,
    telemetry: 0,
    orders: [],
    faults: ['cut', 'server-crash'],
    mostFaults: 3,
  },
  dropping: {
    about: 'two samples and an event; a lane runs full',
    events: 1,
    telemetry: 2,
    orders: [],
    faults: ['cut', 'server-crash', 'full-lane'],
    mostFaults: 2,
  },
  rejects: {
    about:
      'three events, singly or in batches, the first of which the server refuses for good; the link breaks and the server is killed',
    events: 3,
    telemetry: 0,
    refused: [1],
    window: 16,
    orders: [],
    faults: ['cut', 'server-crash'],
    mostFaults: 2,
  },
  window: {
    about:
      'two events and two samples in batches, three messages in flight; the link breaks and the server is killed',
    events: 2,
    telemetry: 2,
    window: 3,
    orders: [],
    faults: ['cut', 'server-crash'],
    mostFaults: 2,
  },
  'narrow-window': {
    about: 'an event and two samples, one message in flight; the link breaks and the server is killed',
    events: 1,
    telemetry: 2,
    window: 1,
    orders: [],
    faults: ['cut', 'server-crash'],
    mostFaults: 2,
  },
  'device-restored': {
    about: "three events; the device's store is set back to a copy",
    events: 3,
    telemetry: 0,
    orders: [],
    faults: ['cut', 'device-restored'],
    mostFaults: 2,
    backup: 'any',
  },
  orders: {
    about: 'an order that may run only once; processes are killed',
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'server-crash', 'executor-crash', 'power-cut', 'answer-lost'],
    mostFaults: 2,
  },
  idempotent: {
    about: 'an order that may run again; processes are killed',
    events: 0,
    telemetry: 0,
    orders: ['again'],
    faults: ['cut', 'executor-crash', 'power-cut', 'answer-lost'],
    mostFaults: 2,
  },
  'two-orders': {
    about: 'an order that may run only once and one that may run again; processes are killed',
    events: 0,
    telemetry: 0,
    orders: ['once', 'again'],
    faults: ['cut'],
    mostFaults: 1,
  },
  expiry: {
    about: 'an order expires while it is handed over',
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'expiry', 'power-cut', 'answer-lost'],
    mostFaults: 2,
  },
  'told-first': {
    about: 'an order that its idle app is told of before it is stored; processes are killed',
    events: 0,
    telemetry: 0,
    orders: ['once'],
    toldFirst: true,
    faults: ['cut', 'executor-crash', 'gateway-crash', 'power-cut', 'answer-lost'],
    mostFaults: 2,
  },
  cancel: {
    about: 'an order that may run only once is cancelled; processes are killed',
    events: 0,
    telemetry: 0,
    orders: ['once', 'cancel'],
    toldFirst: true,
    faults: ['cut', 'executor-crash', 'gateway-crash', 'power-cut', 'answer-lost'],
    mostFaults: 1,
  },
  'server-restored': {
    about: "an order; the server's disk is set back to a copy, under a new serverEpoch",
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'server-restored'],
    mostFaults: 2,
    backup: 'any',
  },
  'uplink-server-restored': {
    about: "two events; the server's disk is set back to a copy, under a new serverEpoch",
    events: 2,
    telemetry: 0,
    orders: [],
    faults: ['cut', 'server-restored'],
    mostFaults: 2,
    backup: 'any',
  },
  'server-restored-unnoticed': {
    about:
      "two orders; the server's disk is set back to a copy of when there was nothing to do, and keeps its serverEpoch",
    events: 0,
    telemetry: 0,
    orders: ['once', 'once'],
    faults: ['server-restored-unnoticed'],
    mostFaults: 1,
    backup: 'idle',
  },
  'server-restored-unnoticed-later': {
    about: "an order; the server's disk is set back to a copy and keeps its serverEpoch",
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'server-restored-unnoticed'],
    mostFaults: 2,
    backup: 'any',
  },
  'orders-device-restored': {
    about: "an order; the device's store is set back to a copy, journal and all",
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'device-restored'],
    mostFaults: 2,
    backup: 'any',
  },
  'two-orders-device-restored': {
    about: "two orders, one after the other; the device's store is set back to a copy, journal and all",
    events: 0,
    telemetry: 0,
    orders: ['once', 'once'],
    inTurn: true,
    faults: ['device-restored'],
    mostFaults: 1,
    backup: 'idle',
  },
  'orders-device-lost': {
    about: "an order; the device's store is lost",
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut', 'device-lost'],
    mostFaults: 2,
  },
  'two-devices': {
    about:
      'an order for one device, whose link breaks, and another that claims to have carried it out, and to hold orders that it was never sent',
    events: 0,
    telemetry: 0,
    orders: ['once'],
    faults: ['cut'],
    mostFaults: 1,
    second: {
      about: 'an ack of the order of the other device, and a false claim',
      events: 0,
      telemetry: 0,
      orders: [],
      foreignAck: true,
      falseClaim: true,
      faults: [],
      mostFaults: 0,
    },
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof SCENARIOS;
export const SCENARIO_NAMES = Object.keys(SCENARIOS) as ScenarioName[];
