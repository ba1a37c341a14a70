/**
 * A fleet-server that a test holds in its hand: it serves the built page under the strict policy and answers the operators'
 * API from what the test put in. It sends nothing that breaks the contract, so that a page which passes here reads the real one.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import * as contract from '@bowline/messages/operators';
import { freePort } from '@bowline/testing';
import type {
  DeadLetter,
  Device,
  Order,
  Role,
  Rollout,
  RolloutFailure,
  SeriesSummary,
  SshSession,
  StoredEvent,
  StoredSample,
  TelemetryNews,
} from '@bowline/messages';
import type { ValidateFunction } from 'ajv';
import { decode } from '../adapters/decode.ts';

/** As fleet-server has it (its `PAGE_HEADERS`). */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

export class FakeFleetServer {
  readonly token = 'an-operator-token-for-tests';
  /** The role of whoever signs in. */
  role: Role = 'admin';
  /** Cookie → CSRF token of each session. */
  readonly sessions = new Map<string, string>();
  readonly devices = new Map<string, Device>();
  readonly orders: Order[] = [];
  /** Items of what a device has answered, by order. */
  readonly answers = new Map<string, unknown[]>();
  readonly events: StoredEvent[] = [];
  readonly deadLetters: DeadLetter[] = [];
  /** Series by device and name, with all their samples. */
  readonly series = new Map<string, Map<string, { unit?: string; samples: StoredSample[] }>>();
  /** Sessions at the relay that have not ended. */
  readonly sshSessions: SshSession[] = [];
  readonly rollouts: Rollout[] = [];
  /** On which devices a rollout has failed. */
  readonly rolloutFailures: RolloutFailure[] = [];
  /** Where the console sends people for a grant. */
  signerUrl: string | undefined;
  /** Bodies of the orders that the page sent, and the ids that it cancelled. */
  readonly sent: unknown[] = [];
  readonly cancelled: string[] = [];
  /** Answers with this problem instead, where the path matches. */
  refuse: { path: RegExp; status: number; code: string; detail: string } | undefined;

  readonly #page: string;
  /** Open streams, each with what it was asked for. */
  readonly #streams = new Map<ServerResponse, URLSearchParams>();
  #server: Server | undefined;
  #port = 0;

  /** @param page folder of the built page */
  constructor(page: string) {
    this.#page = page;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Listens; after {@link stop} again on the same port. */
  async start(): Promise<void> {
    if (this.#port === 0) this.#port = await freePort();
    const server = createServer((request, response) => void this.#answer(request, response));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  putDevice(device: Device): void {
    this.devices.set(device.deviceId, device);
    this.#push('device', contract.device, device);
  }

  putOrder(order: Order): void {
    const index = this.orders.findIndex(({ orderId }) => orderId === order.orderId);
    if (index < 0) this.orders.unshift(order);
    else this.orders[index] = order;
    this.#push('order', contract.order, order);
  }

  putEvent(event: StoredEvent): void {
    this.events.unshift(event);
    this.#push('event', contract.event, event);
  }

  putSamples(deviceId: string, series: string, samples: readonly StoredSample[], unit?: string): void {
    const all = this.series.get(deviceId) ?? new Map<string, { unit?: string; samples: StoredSample[] }>();
    this.series.set(deviceId, all);
    const held = all.get(series) ?? { ...(unit !== undefined && { unit }), samples: [] };
    all.set(series, held);
    held.samples = [...held.samples, ...samples].toSorted((a, b) => a.at - b.at);
    const named = samples.map((sample) => ({ series, ...sample, ...(unit !== undefined && { unit }) }));
    this.#push('telemetry', contract.telemetry, { deviceId, samples: named });
  }

  /** Sends an event as it stands, unchecked, to the streams that asked for its kind, and for its device if that is given. */
  pushRaw(event: string, data: string, deviceId?: string): void {
    for (const [stream, asked] of this.#streams) {
      if (event in contract && !asked.get('kinds')?.split(',').includes(event)) continue;
      if (deviceId !== undefined && (asked.get('device') ?? deviceId) !== deviceId) continue;
      stream.write(`event: ${event}\ndata: ${data}\n\n`);
    }
  }

  #push(event: string, validate: ValidateFunction, data: Device | Order | StoredEvent | TelemetryNews): void {
    this.pushRaw(event, JSON.stringify(decode(validate, data, event)), data.deviceId);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.origin);
    response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
    if (!url.pathname.startsWith('/v1/')) return servePage(this.#page, url, response);
    const { authorization } = request.headers;
    if (authorization !== undefined && authorization !== `Bearer ${this.token}`) {
      return problem(response, 401, 'unauthorized', 'This token is not known here.');
    }
    const csrfToken = this.sessions.get(this.#cookieOf(request));
    if (authorization === undefined && csrfToken === undefined) {
      return problem(response, 401, 'unauthorized', 'The session has ended.');
    }
    if (authorization === undefined && request.headers['x-csrf-token'] !== csrfToken) {
      return problem(response, 403, 'cross-site', 'This call is not of the console.');
    }
    const { refuse } = this;
    if (refuse?.path.test(url.pathname) === true)
      return problem(response, refuse.status, refuse.code, refuse.detail);
    const route = this.#routes.find(
      ({ method, path }) => method === request.method && path.test(url.pathname),
    );
    if (route === undefined) return problem(response, 404, 'not-found', `There is no ${url.pathname}.`);
    await route.handle(request, response, url);
  }

  get #cookieName(): string {
    return `bowline-${this.#port}`;
  }

  #cookieOf({ headers: { cookie = '' } }: IncomingMessage): string {
    return new RegExp(`(?:^|; )${this.#cookieName}=([^;]*)`).exec(cookie)?.[1] ?? '';
  }

  #rolloutOf(url: URL): Rollout | undefined {
    return this.rollouts.find(({ rolloutId }) => url.pathname.split('/')[3] === rolloutId);
  }

  readonly #routes: { method: string; path: RegExp; handle: Handler }[] = [
    {
      method: 'POST',
      path: /^\/v1\/session$/,
      handle: (_, response) => {
        const [id, csrfToken] = [randomUUID(), randomUUID()];
        this.sessions.set(id, csrfToken);
        response.setHeader('set-cookie', `${this.#cookieName}=${id}; Path=/; HttpOnly; SameSite=Strict`);
        const session = { operator: 'admin', role: this.role, csrfToken };
        json(response, 201, decode(contract.session, session, 'session'));
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/session$/,
      handle: (_, response) =>
        json(response, 200, decode(contract.session, { operator: 'admin', role: this.role }, 'session')),
    },
    {
      method: 'DELETE',
      path: /^\/v1\/session$/,
      handle: (request, response) => {
        this.sessions.delete(this.#cookieOf(request));
        json(response, 200, {});
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/server$/,
      handle: (_, response) => {
        const { signerUrl } = this;
        const about = {
          serverId: 'fake',
          serverEpoch: 'e',
          store: { fileBytes: 0, usedBytes: 0 },
          incidents: [],
        };
        const server = { ...about, ...(signerUrl !== undefined && { signerUrl }) };
        json(response, 200, decode(contract.server, server, 'server'));
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/ssh-sessions$/,
      handle: (_, response) => list(response, 'sessions', contract.sshSession, this.sshSessions),
    },
    {
      method: 'POST',
      path: /^\/v1\/ssh-sessions\/[^/]+\/end$/,
      handle: (_, response, url) => {
        const index = this.sshSessions.findIndex(({ sessionId }) => url.pathname.includes(sessionId));
        if (index < 0) return problem(response, 404, 'unknown-session', 'There is no such session.');
        const [ended] = this.sshSessions.splice(index, 1);
        json(response, 200, ended);
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/rollouts$/,
      handle: (_, response) => list(response, 'rollouts', contract.rollout, this.rollouts),
    },
    {
      method: 'GET',
      path: /^\/v1\/rollouts\/[^/]+$/,
      handle: (_, response, url) => {
        const report = { ...this.#rolloutOf(url), onDevices: this.rolloutFailures };
        json(response, 200, decode(contract.rolloutReport, report, 'rollout'));
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/rollouts\/[^/]+\/(pause|stop)$/,
      handle: async (request, response, url) => {
        const { reason } = (await readJson(request)) as { reason?: string };
        const rollout = this.#rolloutOf(url);
        if (rollout === undefined)
          return problem(response, 404, 'unknown-rollout', 'There is no such rollout.');
        rollout.status = url.pathname.endsWith('pause') ? 'paused' : 'stopped';
        rollout.why = reason === undefined ? 'by admin' : `by admin: ${reason}`;
        json(response, 200, decode(contract.rollout, rollout, 'rollout'));
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/devices$/,
      handle: (_, response) => list(response, 'devices', contract.device, [...this.devices.values()]),
    },
    {
      method: 'GET',
      path: /^\/v1\/devices\/[^/]+\/orders$/,
      handle: (_, response, url) => {
        const orders = this.orders.filter(({ deviceId }) => deviceId === deviceOf(url));
        list(response, 'orders', contract.order, orders);
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/devices\/[^/]+\/orders$/,
      handle: async (request, response, url) => {
        const body = (await readJson(request)) as {
          type: string;
          payload: Record<string, unknown>;
          expiresInMs?: number;
        };
        this.sent.push(body);
        const order = newOrder(deviceOf(url), this.orders.length + 1, body);
        this.putOrder(order);
        json(response, 201, decode(contract.order, order, 'order'));
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/orders\/[^/]+\/history$/,
      handle: (_, response, url) => {
        const orderId = url.pathname.split('/')[3] ?? '';
        const found = this.orders.find((each) => each.orderId === orderId);
        if (found === undefined) return problem(response, 404, 'unknown-order', 'no such order');
        const items = this.answers.get(orderId);
        const parts = items === undefined ? 0 : 1;
        const { deviceId, status } = found;
        const answer = { orderId, deviceId, status, complete: parts > 0, parts, missing: [], spoilt: [] };
        return json(
          response,
          200,
          decode(contract.historyAnswer, { ...answer, items: items ?? [] }, 'answer'),
        );
      },
    },
    {
      method: 'POST',
      path: /^\/v1\/orders\/[^/]+\/cancel$/,
      handle: (_, response, url) => {
        const orderId = url.pathname.split('/')[3] ?? '';
        this.cancelled.push(orderId);
        json(response, 202, {});
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/devices\/[^/]+\/series$/,
      handle: (_, response, url) => {
        const all = [...(this.series.get(deviceOf(url)) ?? [])].map(
          ([series, { unit, samples }]): SeriesSummary => {
            const last = samples.at(-1);
            return { series, ...(unit !== undefined && { unit }), ...(last && { last }) };
          },
        );
        list(response, 'series', contract.series, all);
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/devices\/[^/]+\/telemetry$/,
      handle: (_, response, url) => {
        const from = Number(url.searchParams.get('from') ?? 0);
        const limit = Number(url.searchParams.get('limit') ?? 1000);
        const held = this.series.get(deviceOf(url))?.get(url.searchParams.get('series') ?? '');
        const samples = (held?.samples ?? []).filter(({ at }) => at >= from).slice(0, limit);
        list(response, 'samples', contract.sample, samples);
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/devices\/[^/]+\/events$/,
      handle: (_, response, url) => {
        const events = this.events.filter(({ deviceId }) => deviceId === deviceOf(url));
        list(response, 'events', contract.event, events);
      },
    },
    {
      method: 'GET',
      path: /^\/v1\/devices\/[^/]+\/dead-letters$/,
      handle: (_, response) => list(response, 'deadLetters', contract.deadLetter, this.deadLetters),
    },
    {
      method: 'POST',
      path: /^\/v1\/enrolment-tokens$/,
      handle: (_, response) =>
        json(response, 201, {
          tokenId: '0123456789ab',
          groups: [],
          createdAt: Date.now(),
          expiresAt: Date.now() + 3_600_000,
          maxUses: 1,
          uses: 0,
          token: 'SECRET.THUMBPRINT',
        }),
    },
    {
      method: 'GET',
      path: /^\/v1\/stream$/,
      handle: (_, response, url) => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        response.write(': hello\n\n');
        this.#streams.set(response, url.searchParams);
        response.on('close', () => this.#streams.delete(response));
      },
    },
  ];
}

/** An order as the server stores it when an operator sends one. */
export function newOrder(
  deviceId: string,
  seq: number,
  { type, payload, expiresInMs }: { type: string; payload: Record<string, unknown>; expiresInMs?: number },
): Order {
  const at = Date.now();
  return {
    orderId: `019a0000-0000-7000-8000-${String(seq).padStart(12, '0')}`,
    deviceId,
    seq,
    type,
    payload,
    createdAt: at,
    ...(expiresInMs !== undefined && { expiresAt: at + expiresInMs }),
    status: 'queued',
    attempt: 0,
    history: [{ status: 'queued', at, receivedAt: at, attempt: 0 }],
  };
}

const deviceOf = (url: URL): string => decodeURIComponent(url.pathname.split('/')[3] ?? '');

function servePage(page: string, url: URL, response: ServerResponse): void {
  const file = join(page, url.pathname === '/' ? 'index.html' : url.pathname);
  const type = TYPES[extname(file)];
  if (type === undefined || !file.startsWith(page) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': type });
  createReadStream(file).pipe(response);
}

function list(
  response: ServerResponse,
  name: string,
  validate: ValidateFunction,
  entries: readonly unknown[],
): void {
  json(response, 200, { [name]: entries.map((entry, index) => decode(validate, entry, `${name}/${index}`)) });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, code: string, detail: string): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ title: code, status, code, detail }));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text);
}
