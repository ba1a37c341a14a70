import type { Hello, Lane } from '@bowline/messages';
import { decodeUplinkFrame } from '@bowline/messages/uplink';
import type { Disk } from './map-store.ts';
import { nameOf, uuidOf } from './names.ts';
import type { OrderRecord, RealCode, UplinkState } from './real-code.ts';
import type { RuleName } from './rules.ts';
import { servicesOn } from './services.ts';
import { frameText } from './wire.ts';
import { LANES, type DownFrame, type Held, type HelloFrame } from './world.ts';

/** The first device of the model. */
export const DEVICE = 'd';
const BOOT = '00000000-0000-4000-8000-00000000b007';

/** What the device may run; `again` is declared idempotent. */
export const COMMANDS = ['once', 'again'] as const;
export const isIdempotent = (name: string): boolean => name === 'again';

export interface Opened {
  server: number;
  uplink: string;
  generation: number;
  downlinkReceived: number;
  serverEpochs: number;
  welcome: DownFrame;
  alarms: string[];
}

export interface Taken {
  server: number;
  uplink: string;
  received: number;
  /** What was new. */
  kept: readonly Held[];
  rejects: readonly { id: string; code: string }[];
  alarms: string[];
}

export interface KnownOrder {
  orderId: string;
  seq: number;
  name: string;
  /** Of a cancel: the order that it calls off. */
  target?: string;
  status: string;
  attempt: number;
  /** By the server itself: the device may know better. */
  endedHere: boolean;
}

const isDeadLetter = (key: string): boolean => key.startsWith('dead/');
/** Which message a dead letter is: its record is JSON after a stamp of 8 bytes. */
const refusedIn = (record: string): string => nameOf((JSON.parse(record.slice(8)) as { id: string }).id);

const nameIn = (type: string, payload: Record<string, unknown>): string =>
  type === 'cancel' ? type : String(payload['name']);

const targetIn = (type: string, payload: Record<string, unknown>): { target?: string } =>
  type === 'cancel' ? { target: nameOf(String(payload['orderId'])) } : {};

/** What can be told of a server's disk. */
export interface View {
  orders: readonly KnownOrder[];
  holes: boolean;
  /** What was refused for good. */
  deadLetters: readonly string[];
}

/** Of all devices: each disk that ever came up, and what the code made of it. */
interface Shared {
  disks: Disk[];
  numbers: Map<string, number>;
  answers: Map<string, unknown>;
}

/**
 * The server: the project's own code (openLink, UplinkIntake, OrderBook, UplinkLog) over a disk in memory. Each disk that
 * ever comes up has a number, and what the code makes of a disk and a frame is asked only once.
 */
export class Server {
  readonly #code: RealCode;
  readonly #without: RuleName | undefined;
  readonly #window: number | undefined;
  /** Whose link it is that it serves. */
  readonly deviceId: string;
  readonly #shared: Shared;

  /** @param window most messages of a device in flight; default the code's own. */
  constructor(
    code: RealCode,
    without: RuleName | undefined,
    window?: number,
    deviceId = DEVICE,
    shared?: Shared,
  ) {
    this.#code = code;
    this.#without = without;
    this.#window = window;
    this.deviceId = deviceId;
    this.#shared = shared ?? { disks: [], numbers: new Map(), answers: new Map() };
  }

  /** The same server, as it is to another device. */
  forDevice(deviceId: string): Server {
    return new Server(this.#code, this.#without, this.#window, deviceId, this.#shared);
  }

  /** Everything on a disk that is about a device, as text; the epoch of the whole server is about every one. */
  partOf(server: number, deviceId: string): string {
    const isAbout = ([key]: [string, string]) => key === 'meta/server' || key.split('/')[1] === deviceId;
    return this.#once(`part ${server} ${deviceId}`, () =>
      JSON.stringify([...this.#disk(server)].filter(isAbout).toSorted()),
    );
  }

  /** A new server, in its first epoch. */
  begin(): number {
    return this.#number(new Map([['meta/server', uuidOf('S1')]]));
  }

  /** The same disk under another epoch of the server. */
  renamed(server: number, epoch: string): number {
    return this.#number(new Map(this.#disk(server)).set('meta/server', uuidOf(epoch)));
  }

  view(server: number): View {
    return this.#once(`view ${server}`, () => {
      const disk = this.#disk(server);
      const orders = [...disk]
        .filter(([key]) => key.startsWith(`order/${this.deviceId}/`))
        .map(([, text]) => JSON.parse(text) as OrderRecord)
        .map(({ orderId, seq, type, payload, status, attempt, endedHere }) => ({
          orderId: nameOf(orderId),
          seq,
          name: nameIn(type, payload),
          ...targetIn(type, payload),
          status,
          attempt,
          endedHere: endedHere === true,
        }));
      const uplink = disk.get(`uplink/${this.deviceId}`);
      const lanes = uplink === undefined ? undefined : (JSON.parse(uplink) as UplinkState).lanes;
      const holes = lanes !== undefined && LANES.some((lane) => lanes[lane].holes.length > 0);
      const deadLetters = [...disk].filter(([key]) => isDeadLetter(key)).map(([, text]) => refusedIn(text));
      return { orders, holes, deadLetters };
    });
  }

  open(server: number, hello: HelloFrame, serverEpochs: number): Promise<Opened> {
    return this.#once(
      `open ${server} ${serverEpochs} ${JSON.stringify(hello)}`,
      async (): Promise<Opened> => {
        const nextEpoch = `S${serverEpochs + 1}`;
        const before = this.#without === 'only-what-was-sent-counts' ? this.#allOffered(server) : server;
        const run = this.#run(before, nextEpoch);
        const payload: Hello = {
          deviceId: this.deviceId,
          bootId: BOOT,
          epoch: uuidOf(hello.epoch),
          agentVersion: '0.1.0',
          capabilities: ['idempotent:again'],
          lanes: hello.lanes,
          received: hello.received,
          ...(hello.serverEpoch === undefined ? {} : { serverEpoch: uuidOf(hello.serverEpoch) }),
          limits: { frameBytes: 262_144, inflightMessages: 16 },
          queue: { messages: 0, bytes: 0 },
        };
        const link = await this.#code.openLink(run.services, this.deviceId, this.#heard(server, payload));
        const welcome = this.#code.welcomeOf(run.services, 'session', link);
        const epoch = nameOf(welcome.serverEpoch);
        const window = this.#code.clampLimits(welcome).inflightMessages;
        const after = this.#withoutRule(server, run, nextEpoch);
        const shown = this.#without === 'holes-are-pending' && this.view(after).holes;
        return {
          server: after,
          uplink: JSON.stringify(link.uplink),
          generation: link.uplink.generation,
          downlinkReceived: link.downlinkReceived,
          serverEpochs: serverEpochs + Number(epoch === nextEpoch),
          welcome: { kind: 'welcome', received: welcome.received, serverEpoch: epoch, window },
          alarms: shown ? [...run.alarms, 'unexplained-hole'] : run.alarms,
        };
      },
    );
  }

  take(server: number, uplink: string, lane: Lane, messages: readonly Held[]): Promise<Taken> {
    return this.#once(`take ${server} ${uplink} ${lane} ${JSON.stringify(messages)}`, async () => {
      const run = this.#run(server);
      const state = JSON.parse(uplink) as UplinkState;
      const text = frameText(lane, messages);
      if (this.#without === 'acks-of-own-orders') {
        const ack = run.orders.ack.bind(run.orders);
        run.orders.ack = (_, told) => ack(DEVICE, told);
      }
      const intake = new this.#code.UplinkIntake(run.services, this.deviceId, state);
      const { received, rejects } = intake.store(decodeUplinkFrame(text, 65_536).messages, Buffer.from(text));
      const stored = run.store.written(`log/${this.deviceId}/`);
      const after = run.commit();
      const isUnused = this.#without === 'reject-uses-up-its-seq' && rejects.length > 0;
      return {
        server: isUnused ? this.#withUplinkOf(server, after) : after,
        uplink: isUnused ? uplink : JSON.stringify(state),
        received: isUnused ? (JSON.parse(uplink) as UplinkState).lanes[lane].received : received,
        kept: messages.filter(({ id }) => stored.includes(uuidOf(id))),
        rejects: rejects.map(({ code, message }) => ({ id: nameOf(message.id), code })),
        alarms: run.alarms,
      };
    });
  }

  /** @param isLinked whether there is a link on which it goes out at once. */
  order(
    server: number,
    isLinked: boolean,
    { name, orderId, target }: { name: string; orderId: string; target: string | undefined },
  ): Promise<number> {
    return this.#once(`order ${server} ${isLinked} ${name} ${orderId} ${target}`, async () => {
      const run = this.#run(server);
      run.orders.isLinked = () => isLinked;
      const payload = { name, params: {} };
      const cancelled = target === undefined ? undefined : run.orders.get(uuidOf(target));
      const order =
        cancelled === undefined
          ? await run.orders.create(this.deviceId, run.epoch, { type: 'command', payload })
          : await run.orders.cancel(cancelled, run.epoch);
      return run.commit((text) => text.replaceAll(order.orderId, uuidOf(orderId)));
    });
  }

  /** The orders that wait beyond a seq, as frames, and the disk on which they are marked as sent. */
  send(server: number, afterSeq: number): { server: number; frames: DownFrame[]; sentUpTo: number } {
    return this.#once(`send ${server} ${afterSeq}`, () => {
      const run = this.#run(server);
      const waiting = run.orders.waiting(this.deviceId, afterSeq, 16);
      for (const order of waiting) run.orders.sent(order);
      const frames = waiting.map(({ orderId, seq, type, payload, attempt }) => ({
        kind: 'order' as const,
        orderId: nameOf(orderId),
        seq,
        name: nameIn(type, payload),
        ...targetIn(type, payload),
        afterStart: attempt > 0,
      }));
      return { server: run.commit(), frames, sentUpTo: waiting.at(-1)?.seq ?? afterSeq };
    });
  }

  receipted(server: number, seq: number): number {
    return this.#once(`receipted ${server} ${seq}`, () => {
      const run = this.#run(server);
      run.orders.receipted(this.deviceId, run.epoch, seq);
      return run.commit();
    });
  }

  /** A hello as the code gets to see it: where a rule is left out, without what would set the rule off. */
  #heard(server: number, hello: Hello): Hello {
    if (this.#without === 'started-not-sent-again') {
      return { ...hello, capabilities: COMMANDS.map((name) => `idempotent:${name}`) };
    }
    if (this.#without === 'server-shown-restored') {
      const downlink = this.#disk(server).get(`downlink/${this.deviceId}`);
      const offered = downlink === undefined ? 0 : (JSON.parse(downlink) as { offered: number }).offered;
      return { ...hello, received: Math.min(hello.received, offered) };
    }
    if (this.#without === 'lost-acks-mean-again') {
      const { first, next } = hello.lanes.results;
      const uplink = this.#disk(server).get(`uplink/${this.deviceId}`);
      const received = uplink === undefined ? 0 : (JSON.parse(uplink) as UplinkState).lanes.results.received;
      const results = { first: Math.min(first, received + 1), next };
      return { ...hello, lanes: { ...hello.lanes, results } };
    }
    return hello;
  }

  /** The disk after a hello; where a rule is left out that is about it, as it would be then. */
  #withoutRule(
    before: number,
    { commit, alarms }: { commit: () => number; alarms: readonly string[] },
    nextEpoch: string,
  ): number {
    const after = commit();
    if (this.#without === 'resend-unfinished') return this.#withOrdersOf(before, after);
    const isOfAll = this.#without === 'epoch-of-one-device' && alarms.includes('server-rollback');
    return isOfAll ? this.renamed(after, nextEpoch) : after;
  }

  #allOffered(server: number): number {
    const key = `downlink/${this.deviceId}`;
    const text = this.#disk(server).get(key);
    if (text === undefined) return server;
    const state = JSON.parse(text) as { next: number };
    return this.#number(
      new Map(this.#disk(server)).set(key, JSON.stringify({ ...state, offered: state.next - 1 })),
    );
  }

  #withUplinkOf(before: number, after: number): number {
    const key = `uplink/${this.deviceId}`;
    return this.#number(new Map(this.#disk(after)).set(key, this.#disk(before).get(key) ?? ''));
  }

  #withOrdersOf(before: number, after: number): number {
    const isOfOrders = ([key]: [string, string]) => /^(order|queue|downlink)\//.test(key);
    return this.#number(
      new Map([
        ...[...this.#disk(after)].filter((entry) => !isOfOrders(entry)),
        ...[...this.#disk(before)].filter(isOfOrders),
      ]),
    );
  }

  #run(server: number, nextEpoch = '') {
    const services = servicesOn(this.#disk(server), this.#code, nextEpoch, this.#window);
    const commit = (rename = (text: string) => text): number => {
      const entries = [...services.store.commit()].map(([key, text]) => {
        // Its key holds the time: equal disks must be equal.
        const named = isDeadLetter(key) ? `dead/${this.deviceId}/${uuidOf(refusedIn(text))}` : key;
        return [rename(named), rename(text)] as const;
      });
      const isLeftOut = (key: string) =>
        (this.#without === 'server-dedupes-by-id' && key.startsWith('ids/')) ||
        (this.#without === 'dead-letter-before-reject' && isDeadLetter(key));
      return this.#number(new Map(entries.filter(([key]) => !isLeftOut(key))));
    };
    return { ...services, commit };
  }

  #disk(server: number): Disk {
    const disk = this.#shared.disks[server];
    if (disk === undefined) throw new RangeError(`there is no disk ${server}`);
    return disk;
  }

  #number(disk: Disk): number {
    const text = JSON.stringify([...disk].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#shared.numbers.get(text);
    if (known !== undefined) return known;
    this.#shared.numbers.set(text, this.#shared.disks.length);
    return this.#shared.disks.push(disk) - 1;
  }

  #once<T>(about: string, answer: () => T): T {
    const { answers } = this.#shared;
    const question = `${this.deviceId} ${about}`;
    if (!answers.has(question)) answers.set(question, answer());
    return answers.get(question) as T;
  }
}
