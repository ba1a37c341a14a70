import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createKey,
  signTrustBundle,
  verifyEnrolmentProof,
  verifyLinkToken,
  type SigningKey,
} from '@bowline/identity';
import { UPLINK_LANES, type EnrolmentRequest, type EnrolmentResponse, type Lane } from '@bowline/messages';
import { v7 as uuidv7 } from 'uuid';
import { WebSocketServer, type WebSocket } from 'ws';
import { afterThisFile } from './clean-up.ts';
import { waitFor, type WaitOptions } from './wait-for.ts';

/** One frame from the device, as JSON; a batch is taken apart. */
export interface UplinkRecord {
  type: string;
  id: string;
  lane?: Lane;
  seq?: number;
  sentAt: number;
  payload: Record<string, unknown>;
}

/** How the fake behaves; tests change it as they go. */
export interface CloudBehaviour {
  /** Answers hello with welcome. */
  welcome: boolean;
  /** Receipts what it stored. */
  receipt: boolean;
  /** Answers heartbeats. */
  heartbeat: boolean;
  /** Members that replace those of a normal welcome. */
  welcomeWith: Record<string, unknown>;
  /** Stores nothing of a frame that holds this text. */
  chokesOn: string | undefined;
  /** And closes the link 1007, or refuses the frame without naming a message. */
  chokesBy: 'close' | 'unnamed-reject';
  /** Its clock is ahead of ours by so much: it refuses what is signed by another, and tells its time. */
  aheadMs: number;
  /** Refuses every upgrade with this status. */
  refuseWith: { status: number; headers?: Record<string, string>; body?: string } | undefined;
}

export interface FakeLink {
  readonly hello: Record<string, unknown> | undefined;
  /** Everything that came over this link. */
  readonly frames: UplinkRecord[];
  readonly closeCode: number | undefined;
  readonly socket: WebSocket;
  send(frame: Record<string, unknown> | string): void;
  /** Sends an order under the next downlink seq; returns its id. */
  order(type: string, payload: Record<string, unknown>, as?: { orderId?: string; seq?: number }): string;
}

/**
 * A cloud at the wire, for tests of the device: it speaks the protocol and remembers like a server, and can be told to
 * misbehave. It has no code in common with fleet-server, so that the two sides cannot be wrong together.
 */
export class FakeCloud {
  readonly behaviour: CloudBehaviour = {
    welcome: true,
    receipt: true,
    heartbeat: true,
    welcomeWith: {},
    chokesOn: undefined,
    chokesBy: 'close',
    aheadMs: 0,
    refuseWith: undefined,
  };
  /** All links so far, oldest first. */
  readonly links: FakeLink[] = [];
  /** What was stored, each (epoch, lane, seq) once. */
  readonly stored: UplinkRecord[] = [];
  readonly serverEpoch = randomUUID();
  /** Signs the trust bundle; its thumbprint is in the token. */
  root: SigningKey | undefined;
  /** Put this into the device's token file. */
  token = '';
  /** Where devices reach it; a test that puts something in between says so before the device enrols. */
  origin = '';
  readonly #received: Record<Lane, number> = { results: 0, events: 0, telemetry: 0, history: 0 };
  readonly #seen = new Set<string>();
  readonly #spentTokens = new Set<string>();
  #epoch: unknown;
  #downlinkSeq = 0;
  #publicKey: EnrolmentRequest['publicKey'] | undefined;
  #close: () => Promise<void> = async () => undefined;

  static async start(port = 0): Promise<FakeCloud> {
    const cloud = new FakeCloud();
    await cloud.#listen(port);
    return cloud;
  }

  /** The newest link, once there is one that `accept` likes. */
  link(
    accept: (link: FakeLink, index: number) => boolean = () => true,
    options?: WaitOptions,
  ): Promise<FakeLink> {
    return waitFor(() => this.links.findLast(accept), { what: 'a link', ...options });
  }

  /** Waits for an ack of this order with this status. */
  ack(orderId: string, status: string): Promise<UplinkRecord> {
    const wanted = ({ type, payload }: UplinkRecord) =>
      type === 'ack' && payload['orderId'] === orderId && payload['status'] === status;
    return waitFor(() => this.stored.find(wanted), { what: `ack ${status} of ${orderId}` });
  }

  /** Ends every link at once without a close frame, as a dead network does. */
  cut(): void {
    for (const { socket } of this.links) socket.terminate();
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #listen(port: number): Promise<void> {
    const root = await createKey();
    this.root = root;
    this.token = `${randomUUID()}.${root.thumbprint}`;
    const keys = { root: [root.publicJwk], update: [], access: [], command: [] };
    const trust = await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]);

    const enrol = async (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as EnrolmentRequest;
      const { publicKey } = body;
      await verifyEnrolmentProof(body.proof, { publicKey, origin: this.origin, nowMs: Date.now() });
      if (body.token !== this.token) return problem(response, 410, 'unknown-token');
      this.#publicKey = publicKey;
      const answer: EnrolmentResponse = {
        deviceId: 'device-1',
        name: 'device-1',
        groups: [],
        serverId: 'fake-cloud',
        link: `${this.origin.replace('http', 'ws')}/v1/devices/device-1/link`,
        trust,
        serverTime: Date.now(),
      };
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    };
    const server = createServer((request, response) => {
      enrol(request, response).catch(() => problem(response, 401, 'bad-proof'));
    });
    const sockets = new WebSocketServer({ noServer: true, maxPayload: 2 ** 20 });
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => undefined); // a device that is killed resets what is under way
      const refusal = this.behaviour.refuseWith;
      const proven = refusal === undefined ? this.#prove(request) : Promise.reject(new Error('refused'));
      proven.then(
        () => sockets.handleUpgrade(request, socket, head, (link) => this.#accept(link)),
        () => {
          const {
            status,
            headers = {},
            body = '',
          } = refusal ?? {
            status: 401,
            body: JSON.stringify({ title: 'no', status: 401, code: 'bad-token', serverTime: this.#now() }),
          };
          const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) });
          socket.end(
            `HTTP/1.1 ${status} No\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${body}`,
          );
        },
      );
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#close = async () => {
      this.cut();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    };
    afterThisFile(() => this.#close());
  }

  async #prove({ headers }: IncomingMessage): Promise<void> {
    if (this.#publicKey === undefined) throw new Error('not enrolled');
    const token = (headers.authorization ?? '').replace(/^Bearer /, '');
    const expected = {
      deviceId: 'device-1',
      serverId: 'fake-cloud',
      publicKey: this.#publicKey,
      nowMs: this.#now(),
    };
    const { jti } = await verifyLinkToken(token, expected);
    if (this.#spentTokens.has(jti)) throw new Error('a token is good once');
    this.#spentTokens.add(jti);
  }

  #now(): number {
    return Date.now() + this.behaviour.aheadMs;
  }

  #accept(socket: WebSocket): void {
    const state: { hello?: Record<string, unknown>; closeCode?: number } = {};
    const link: FakeLink = {
      get hello() {
        return state.hello;
      },
      frames: [],
      get closeCode() {
        return state.closeCode;
      },
      socket,
      send: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
      order: (type, payload, { orderId = uuidv7(), seq } = {}) => {
        this.#downlinkSeq = seq ?? this.#downlinkSeq + 1;
        link.send({
          type,
          id: orderId,
          lane: 'orders',
          seq: this.#downlinkSeq,
          sentAt: Date.now(),
          payload,
        });
        return orderId;
      },
    };
    this.links.push(link);
    socket.on('error', () => undefined);
    socket.on('close', (code) => (state.closeCode = code));
    let refused = false;
    socket.on('message', (data: Buffer) => {
      if (socket.readyState !== socket.OPEN) return; // after its close a side stores nothing more from that link
      const { chokesOn, chokesBy } = this.behaviour;
      if (refused) return; // else receipts would pass what nobody can name
      if (chokesOn !== undefined && data.includes(chokesOn)) {
        if (chokesBy === 'close') return socket.close(1007);
        refused = true;
        return link.send({
          ...envelope('reject'),
          payload: { id: null, code: 'invalid', detail: 'no id reads' },
        });
      }
      const frame = readFrame(data.toString());
      if (frame === undefined) return socket.close(1007);
      const messages = frame.messages?.map((message) => ({
        ...message,
        ...(frame.lane ? { lane: frame.lane } : {}),
      }));
      for (const message of messages ?? [frame]) {
        link.frames.push(message);
        if (message.type === 'hello') state.hello = message.payload;
        this.#take(link, message);
      }
      if (this.behaviour.receipt && frame.lane !== undefined) {
        link.send({
          ...envelope('receipt'),
          payload: { lanes: { [frame.lane]: this.#received[frame.lane] } },
        });
      }
    });
  }

  #take(link: FakeLink, message: UplinkRecord): void {
    const { type, lane, seq } = message;
    if (type === 'hello' && this.behaviour.welcome) this.#welcome(link, message.payload);
    if (type === 'heartbeat' && this.behaviour.heartbeat) {
      const payload = {
        re: message.id,
        serverTime: this.#now(),
        received: this.#received,
        processed: this.#received,
      };
      link.send({ ...envelope('heartbeat'), payload });
    }
    if (lane === undefined || seq === undefined) return;
    const key = `${String(this.#epoch)}/${lane}/${seq}`;
    if (!this.#seen.has(key)) this.stored.push(message);
    this.#seen.add(key);
    this.#received[lane] = Math.max(this.#received[lane], seq);
  }

  #welcome(link: FakeLink, { epoch, received }: Record<string, unknown>): void {
    // One link a device, the later hello wins (protocol, section 3): what an earlier one still delivers is ignored.
    for (const earlier of this.links) if (earlier !== link) earlier.socket.close(4409);
    if (this.#epoch !== epoch) for (const lane of UPLINK_LANES) this.#received[lane] = 0;
    this.#epoch = epoch;
    this.#downlinkSeq = Math.max(this.#downlinkSeq, Number(received));
    link.send({
      ...envelope('welcome'),
      payload: {
        sessionId: randomUUID(),
        resumed: this.links.length > 1,
        serverTime: this.#now(),
        serverEpoch: this.serverEpoch,
        received: { ...this.#received },
        heartbeatSeconds: 5,
        capabilities: [],
        limits: { frameBytes: 65_536, inflightMessages: 256, inflightBytes: 2 ** 20, replayPerSecond: 1000 },
        reconnect: { minMs: 0, maxMs: 100 },
        ...this.behaviour.welcomeWith,
      },
    });
  }
}

const envelope = (type: string) => ({ type, id: uuidv7(), sentAt: Date.now() });

function problem(response: ServerResponse, status: number, code: string): void {
  const body = JSON.stringify({ title: code, status, code, serverTime: Date.now() });
  response.writeHead(status, { 'content-type': 'application/problem+json' }).end(body);
}

type UplinkFrame = UplinkRecord & { messages?: UplinkRecord[] };

/** Undefined: it is none. What a bad network lets through may happen to be a frame of WebSocket, and then is no JSON. */
function readFrame(text: string): UplinkFrame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as UplinkFrame) : undefined;
  } catch {
    return undefined;
  }
}
