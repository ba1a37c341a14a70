import type { ValidateFunction } from 'ajv';
import * as contract from '@bowline/messages/operators';
import { CancelledError, ContractError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type {
  DeadLetter,
  Device,
  EnrolmentToken,
  HistoryAnswer,
  OperatorSession,
  Order,
  Rollout,
  RolloutReport,
  SeriesSummary,
  ServerInfo,
  SshSession,
  StoredEvent,
  StoredSample,
} from '@bowline/messages';
import { decode } from './decode.ts';
import type { JsonValue } from '../core/json.ts';

/** An answer must have come by then, milliseconds. */
const ANSWER_WITHIN_MS = 20_000;
/** Samples asked for at once, and how often: bounds what a long window may cost. */
const SAMPLES_PER_PAGE = 5_000;
const MOST_PAGES = 10;

/** Whoever asked for history looks at something else by then. */
const HISTORY_EXPIRES_MS = 3_600_000;

export interface FleetApiOptions {
  /** Origin of the server, without a path; default the page's own. */
  origin?: string;
  /** What each call carries beside the session's cookie. */
  csrfToken: () => string | undefined;
  /** Called with the server's clock minus ours, milliseconds, after each answer. */
  onClockOffset?: (offsetMs: number) => void;
}

/**
 * The operators' API of fleet-server (its README), in a session. Each call throws `RejectedError` (`unauthorized` where nobody
 * is signed in, else the server's code), `TransientError` (`unreachable`, `server-error`) or `ContractError` (`invalid`).
 */
export class FleetApi {
  readonly #origin: string;
  readonly #csrfToken: () => string | undefined;
  readonly #onClockOffset: (offsetMs: number) => void;

  constructor({ origin = '', csrfToken, onClockOffset = () => {} }: FleetApiOptions) {
    this.#origin = origin;
    this.#csrfToken = csrfToken;
    this.#onClockOffset = onClockOffset;
  }

  /** Exchanges a token for a session: the browser keeps its cookie, the caller its `csrfToken`. */
  async signIn(token: string): Promise<OperatorSession> {
    const answer = await this.#request('POST', '/v1/session', { token });
    return decode<OperatorSession>(contract.session, answer, 'session');
  }

  async session(): Promise<OperatorSession> {
    return decode<OperatorSession>(
      contract.session,
      await this.#request('GET', '/v1/session', {}),
      'session',
    );
  }

  async signOut(): Promise<void> {
    await this.#request('DELETE', '/v1/session', {});
  }

  async devices(signal?: AbortSignal): Promise<Device[]> {
    return this.#list<Device>('/v1/devices', 'devices', contract.device, signal);
  }

  async orders(deviceId: string, limit: number, signal?: AbortSignal): Promise<Order[]> {
    return this.#list<Order>(`${pathOf(deviceId)}/orders?limit=${limit}`, 'orders', contract.order, signal);
  }

  async events(deviceId: string, limit: number, signal?: AbortSignal): Promise<StoredEvent[]> {
    return this.#list<StoredEvent>(
      `${pathOf(deviceId)}/events?limit=${limit}`,
      'events',
      contract.event,
      signal,
    );
  }

  async deadLetters(deviceId: string, signal?: AbortSignal): Promise<DeadLetter[]> {
    return this.#list<DeadLetter>(
      `${pathOf(deviceId)}/dead-letters`,
      'deadLetters',
      contract.deadLetter,
      signal,
    );
  }

  async series(deviceId: string, signal?: AbortSignal): Promise<SeriesSummary[]> {
    return this.#list<SeriesSummary>(`${pathOf(deviceId)}/series`, 'series', contract.series, signal);
  }

  /** The samples of one series from `from` until now, ascending, page by page. */
  async *samples(
    deviceId: string,
    series: string,
    from: number,
    signal?: AbortSignal,
  ): AsyncGenerator<StoredSample[]> {
    let next = from;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const query = new URLSearchParams({ series, from: String(next), limit: String(SAMPLES_PER_PAGE) });
      const path = `${pathOf(deviceId)}/telemetry?${query}`;
      const samples = await this.#list<StoredSample>(path, 'samples', contract.sample, signal);
      yield samples;
      const last = samples.at(-1);
      if (last === undefined || samples.length < SAMPLES_PER_PAGE) return;
      next = last.at + 1;
    }
  }

  async sendCommand(
    deviceId: string,
    payload: { name: string; params: Record<string, JsonValue> },
    expiresInMs?: number,
  ): Promise<Order> {
    const body = { type: 'command', payload, ...(expiresInMs !== undefined && { expiresInMs }) };
    const answer = await this.#request('POST', `${pathOf(deviceId)}/orders`, { body });
    return decode<Order>(contract.order, answer, 'order');
  }

  async requestHistory(deviceId: string, payload: Record<string, JsonValue>): Promise<Order> {
    const body = { type: 'historyRequest', payload, expiresInMs: HISTORY_EXPIRES_MS };
    const answer = await this.#request('POST', `${pathOf(deviceId)}/orders`, { body });
    return decode<Order>(contract.order, answer, 'order');
  }

  /** What the device has answered so far. */
  async historyAnswer(orderId: string): Promise<HistoryAnswer> {
    const answer = await this.#request('GET', `/v1/orders/${encodeURIComponent(orderId)}/history`, {});
    return decode<HistoryAnswer>(contract.historyAnswer, answer, 'answer');
  }

  async cancelOrder(orderId: string): Promise<void> {
    await this.#request('POST', `/v1/orders/${encodeURIComponent(orderId)}/cancel`, { body: {} });
  }

  /** The server itself. */
  async server(): Promise<ServerInfo> {
    return decode<ServerInfo>(contract.server, await this.#request('GET', '/v1/server', {}), 'server');
  }

  /** Sessions of all devices that have not ended. */
  async sshSessions(): Promise<SshSession[]> {
    return this.#list<SshSession>('/v1/ssh-sessions', 'sessions', contract.sshSession, undefined);
  }

  async endSshSession(sessionId: string): Promise<void> {
    await this.#request('POST', `/v1/ssh-sessions/${encodeURIComponent(sessionId)}/end`, { body: {} });
  }

  async rollouts(): Promise<Rollout[]> {
    return this.#list<Rollout>('/v1/rollouts', 'rollouts', contract.rollout, undefined);
  }

  /** With the first devices on which it failed. */
  async rollout(rolloutId: string): Promise<RolloutReport> {
    const answer = await this.#request('GET', rolloutPath(rolloutId), {});
    return decode<RolloutReport>(contract.rolloutReport, answer, 'rollout');
  }

  async haltRollout(rolloutId: string, how: 'pause' | 'stop', reason: string): Promise<void> {
    const body = reason === '' ? {} : { reason };
    await this.#request('POST', `${rolloutPath(rolloutId)}/${how}`, { body });
  }

  async createEnrolmentToken(): Promise<EnrolmentToken> {
    const answer = await this.#request('POST', '/v1/enrolment-tokens', { body: { maxUses: 1 } });
    return decode<EnrolmentToken>(contract.enrolmentToken, answer, 'token');
  }

  /** News of these kinds, of one device or of all, as the server sends them; it stays open until `signal`. */
  async openStream(
    { kinds, device }: { kinds: string; device?: string },
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const query = new URLSearchParams({ kinds, ...(device !== undefined && { device }) });
    const response = await this.#fetch('GET', `/v1/stream?${query}`, { accept: 'text/event-stream', signal });
    const type = response.headers.get('content-type') ?? '';
    if (response.body === null || !type.startsWith('text/event-stream')) {
      throw new ContractError(
        'invalid',
        `the server's stream is ${type || 'of no type'}, not text/event-stream`,
      );
    }
    return response.body;
  }

  async #list<T>(
    path: string,
    name: string,
    validate: ValidateFunction,
    signal: AbortSignal | undefined,
  ): Promise<T[]> {
    const answer = await this.#request('GET', path, signal === undefined ? {} : { signal });
    const list = typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined;
    if (!Array.isArray(list)) throw new ContractError('invalid', `${path}: the answer has no list "${name}"`);
    return list.map((entry, index) => decode<T>(validate, entry, `${name}/${index}`));
  }

  async #request(
    method: string,
    path: string,
    { body, signal, token }: { body?: object; signal?: AbortSignal; token?: string },
  ): Promise<unknown> {
    const deadline = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const response = await this.#fetch(method, path, {
      accept: 'application/json',
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
      ...(body && { body }),
      ...(token && { token }),
    });
    try {
      const text = await response.text();
      return text === '' ? undefined : JSON.parse(text);
    } catch (error) {
      throw new ContractError('invalid', `${path}: the answer is not JSON`, { cause: error });
    }
  }

  async #fetch(
    method: string,
    path: string,
    { accept, body, signal, token }: { accept: string; body?: object; signal: AbortSignal; token?: string },
  ): Promise<Response> {
    const headers: Record<string, string> = { accept };
    if (token === undefined) headers['x-csrf-token'] = this.#csrfToken() ?? '';
    else headers['authorization'] = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    let response: Response;
    try {
      response = await fetch(`${this.#origin}${path}`, {
        method,
        headers,
        signal,
        cache: 'no-store',
        credentials: 'same-origin',
        ...(body && { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal.aborted && signal.reason?.name !== 'TimeoutError') {
        throw new CancelledError('cancelled', 'the page no longer needs the answer', { cause: error });
      }
      throw new TransientError('unreachable', 'The server cannot be reached.', { cause: error });
    }
    const date = Date.parse(response.headers.get('date') ?? '');
    if (Number.isFinite(date)) this.#onClockOffset(date - Date.now());
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

const rolloutPath = (rolloutId: string): string => `/v1/rollouts/${encodeURIComponent(rolloutId)}`;

const pathOf = (deviceId: string): string => `/v1/devices/${encodeURIComponent(deviceId)}`;

/** An answer that says no, from its problem document (RFC 9457) where it has one. */
async function problemOf(response: Response): Promise<RejectedError | TransientError> {
  let told: { code?: unknown; title?: unknown; detail?: unknown } = {};
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null) told = body;
  } catch {
    // No document: the status alone has to do.
  }
  const words = [told.detail, told.title].find((text) => typeof text === 'string' && text !== '');
  const message = typeof words === 'string' ? words : `The server answered ${response.status}.`;
  const code = typeof told.code === 'string' ? told.code : undefined;
  // The second: another session than ours is in the cookie.
  if (response.status === 401 || code === 'cross-site') return new RejectedError('unauthorized', message);
  if (response.status === 429 || response.status >= 500)
    return new TransientError(code ?? 'server-error', message);
  return new RejectedError(code ?? 'refused', message);
}
