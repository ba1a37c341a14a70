import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { afterThisFile, waitFor } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';
import { WebSocket } from 'ws';

export type Frame = Record<string, unknown> & { type: string; id: string; payload: Record<string, unknown> };
type Lane = 'results' | 'events' | 'telemetry' | 'history';

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const ABOUT = { os: 'linux', arch: 'x64', bootId: randomUUID(), agentVersion: '0.1.0' };

/** A device at the wire: nothing of it but the protocol, nothing shared with the server's code. */
export class RawDevice {
  readonly #key = generateKeyPairSync('ed25519');
  readonly publicKey: { kty: string; crv: string; x: string };
  readonly thumbprint: string;
  deviceId = '';
  serverId = '';
  link = '';
  epoch = randomUUID();
  bootId: string = randomUUID();

  constructor() {
    const { kty, crv, x } = this.#key.publicKey.export({ format: 'jwk' }) as Record<string, string>;
    this.publicKey = { kty: kty ?? '', crv: crv ?? '', x: x ?? '' };
    this.thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
  }

  jws(header: object, payload: object): string {
    const text = `${encode(header)}.${encode(payload)}`;
    return `${text}.${sign(null, Buffer.from(text), this.#key.privateKey).toString('base64url')}`;
  }

  proof(origin: string, claims: object = {}): string {
    const payload = { device: ABOUT, aud: origin, iat: Math.floor(Date.now() / 1000), ...claims };
    return this.jws({ alg: 'EdDSA', kid: this.thumbprint }, payload);
  }

  /** The body of an enrolment. */
  enrolment(origin: string, token: string | undefined): object {
    const claims = token === undefined ? {} : { token };
    return { ...claims, publicKey: this.publicKey, proof: this.proof(origin, claims), device: ABOUT };
  }

  enrolled({ deviceId, serverId, link }: Record<string, unknown>): void {
    this.deviceId = String(deviceId);
    this.serverId = String(serverId);
    this.link = String(link);
  }

  /** Posts an enrolment; `body` replaces members of a good one. */
  async enrol(
    origin: string,
    token: string | undefined,
    body: object = {},
  ): Promise<{ status: number; headers: Headers; answer: Frame }> {
    const request = { ...this.enrolment(origin, token), ...body };
    const response = await fetch(`${origin}/v1/enrolments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
    const answer = (await response.json()) as Frame;
    if (response.status === 201) this.enrolled(answer);
    return { status: response.status, headers: response.headers, answer };
  }

  token(claims: object = {}, header: object = { alg: 'EdDSA', typ: 'JWT' }): string {
    const iat = Math.floor(Date.now() / 1000);
    const { deviceId: iss, serverId: aud } = this;
    return this.jws(header, { iss, sub: iss, aud, iat, exp: iat + 60, jti: randomUUID(), ...claims });
  }

  /** The upgrade alone. */
  connect({
    token = this.token(),
    protocols = ['bowline.v1'],
    tls = {},
    forwardedFor,
  }: {
    /** null: none. */
    token?: string | null;
    protocols?: string[];
    /** The authorities it knows, and its own certificate. */
    tls?: { ca?: string; cert?: string; key?: string };
    /** What a proxy says of where the call came from. */
    forwardedFor?: string;
  } = {}): RawLink {
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor }),
    };
    return new RawLink(new WebSocket(this.link, protocols, { headers, ...tls }), this);
  }

  /** Upgrade, hello, welcome. */
  async open(hello: object = {}, how: Parameters<RawDevice['connect']>[0] = {}): Promise<RawLink> {
    const link = this.connect(how);
    await link.opened;
    link.hello(hello);
    await link.next('welcome');
    return link;
  }
}

export class RawLink {
  readonly frames: Frame[] = [];
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Status and body of a refused upgrade. */
  readonly refused: Promise<{
    status: number;
    headers: Record<string, unknown>;
    body: Record<string, unknown>;
  }>;
  readonly #device: RawDevice;
  #read = 0;

  constructor(socket: WebSocket, device: RawDevice) {
    this.socket = socket;
    this.#device = device;
    this.opened = new Promise((resolve) => socket.once('open', resolve));
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.refused = new Promise((resolve) => {
      socket.once('unexpected-response', async (_request, response) => {
        let text = '';
        for await (const chunk of response) text += String(chunk);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: text ? JSON.parse(text) : {},
        });
        socket.terminate();
      });
    });
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as Frame));
    afterThisFile(() => socket.terminate());
  }

  /** The next frame of this type that was not read yet. */
  async next(
    type: string,
    accept: (payload: Record<string, unknown>) => boolean = () => true,
  ): Promise<Frame> {
    const index = await waitFor(
      () => {
        const at = this.frames.findIndex(
          (frame, i) => i >= this.#read && frame.type === type && accept(frame.payload),
        );
        if (at < 0 && this.socket.readyState === WebSocket.CLOSED)
          throw new Error(`closed before ${type} came`);
        return at + 1;
      },
      { what: `a frame ${type}` },
    );
    this.#read = index;
    const frame = this.frames[index - 1];
    if (frame === undefined) throw new Error('no frame');
    return frame;
  }

  /** Waits until the lane is receipted up to `seq`. */
  async receipted(lane: Lane | 'orders', seq: number): Promise<void> {
    await waitFor(() => Math.max(0, ...this.receipts(lane)) >= seq, { what: `receipt of ${lane} ${seq}` });
  }

  receipts(lane: string): number[] {
    return this.frames.flatMap(({ type, payload }) => {
      const seq = type === 'receipt' ? (payload['lanes'] as Record<string, number>)[lane] : undefined;
      return seq === undefined ? [] : [seq];
    });
  }

  send(frame: object | string | Buffer): void {
    this.socket.send(frame instanceof Buffer || typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  live(type: string, payload: object, id = uuidv7()): string {
    this.send({ type, id, sentAt: Date.now(), payload });
    return id;
  }

  hello(payload: object = {}): void {
    const lane = { first: 1, next: 1 };
    this.live('hello', {
      deviceId: this.#device.deviceId,
      bootId: this.#device.bootId,
      epoch: this.#device.epoch,
      agentVersion: '0.1.0',
      capabilities: [],
      lanes: { results: lane, events: lane, telemetry: lane, history: lane },
      received: 0,
      limits: { frameBytes: 262_144, inflightMessages: 16 },
      queue: { messages: 0, bytes: 0 },
      ...payload,
    });
  }

  durable(lane: Lane, seq: number, type: string, payload: object, id = uuidv7()): string {
    this.send({ type, id, lane, seq, sentAt: Date.now(), payload });
    return id;
  }

  sample(seq: number, value: number, id = uuidv7(), at = 1_700_000_000_000 + seq): string {
    return this.durable(
      'telemetry',
      seq,
      'telemetry',
      { samples: [{ series: 'test.value', at, value }] },
      id,
    );
  }

  event(seq: number, kind: string, id = uuidv7()): string {
    return this.durable(
      'events',
      seq,
      'event',
      { kind, severity: 'info', at: 1_700_000_000_000, data: { seq } },
      id,
    );
  }

  ack(seq: number, orderId: string, status: string, attempt = 0, more: object = {}): string {
    return this.durable('results', seq, 'ack', { orderId, status, attempt, at: Date.now(), ...more });
  }

  close(): Promise<{ code: number; reason: string }> {
    this.socket.close(1000);
    return this.closed;
  }
}

/** Ranges of a hello's lanes: what is not named is empty. */
export const lanes = (ranges: Partial<Record<Lane, [number, number]>>) => ({
  lanes: Object.fromEntries(
    (['results', 'events', 'telemetry', 'history'] as const).map((lane) => {
      const [first, next] = ranges[lane] ?? [1, 1];
      return [lane, { first, next }];
    }),
  ),
});
