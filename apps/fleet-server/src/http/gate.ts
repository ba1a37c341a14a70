import { ROLES, type Role } from '@bowline/messages';
import { InternalError, RejectedError, TransientError, type Clock } from '@bowline/runtime';
import { RateLimiter, type Rate } from '@bowline/server-sdk';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { tokenIdOf } from '../operators/access-token.ts';
import type { Holder, OperatorDirectory } from '../operators/operator-directory.ts';
import type { Sessions } from '../operators/sessions.ts';
import type { TokenCheck } from '../operators/token-check.ts';
import { accessOf, type Access } from './access.ts';
import { comesFromOwnPage, CSRF_HEADER, sessionIdOf, type CookieScope } from './session-cookie.ts';

/** An operator who is calling, and how. */
export interface Caller extends Holder {
  via: 'token' | 'session';
  sessionId?: string;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    caller: Caller | undefined;
  }
}

export interface GatePorts {
  directory: OperatorDirectory;
  tokenCheck: TokenCheck;
  sessions: Sessions;
  clock: Clock;
  /** Origins of our own pages. */
  origins: () => readonly string[];
}

export interface GateOptions {
  /** Calls of one token, its sessions among them. */
  calls: Rate;
  /** Calls of one address with a token or session that is not good; those with the id of a token that there is count by id. */
  failures: Rate;
  /** Whether browsers reach us over TLS. */
  secure: boolean;
}

const BEARER = /^Bearer ([^\s]{1,512})$/i;

/** Who calls, and whether they may: asked before each endpoint, by the one table (access.ts). */
export class Gate {
  readonly #ports: GatePorts;
  readonly #calls: RateLimiter;
  readonly #failures: RateLimiter;
  readonly #secure: boolean;

  constructor(ports: GatePorts, { calls, failures, secure }: GateOptions) {
    this.#ports = ports;
    this.#calls = new RateLimiter(ports.clock, calls);
    this.#failures = new RateLimiter(ports.clock, failures);
    this.#secure = secure;
  }

  /** To be called before any endpoint is registered. */
  guard(http: FastifyInstance): void {
    const routes: RouteOptions[] = [];
    http.decorateRequest('caller', undefined);
    http.addHook('onRoute', (route) => {
      routes.push(route);
      const access = accessOf(String(route.method), route.url);
      if (access !== undefined) route.config = { ...route.config, access };
    });
    http.addHook('onReady', async () => {
      const undeclared = routes
        .filter(({ config }) => config?.access === undefined)
        .map(({ method, url }) => `${String(method)} ${url}`);
      if (undeclared.length > 0)
        throw new InternalError('no-role', `without a row in access.ts: ${undeclared.join(', ')}`);
    });
    http.addHook('onRequest', async (request) => {
      const role = request.routeOptions.config.access?.role;
      if (role === undefined || role === 'anyone') return;
      request.caller = await this.#caller(request);
      const retryAfterMs = this.#calls.take(request.caller.tokenId);
      if (retryAfterMs > 0) throw new TransientError('too-many-requests', 'too many calls', { retryAfterMs });
      if (!includes(request.caller.role, role))
        throw new RejectedError('forbidden', `this takes the role ${role}; yours is ${request.caller.role}`);
    });
  }

  cookieScope({ socket }: FastifyRequest): CookieScope {
    return { secure: this.#secure, port: socket.localPort };
  }

  /** Whether the caller of a request that goes on may still be answered. */
  stillAdmits({ caller, routeOptions }: FastifyRequest): boolean {
    const role = routeOptions.config.access?.role;
    if (caller === undefined || role === undefined || role === 'anyone') return false;
    const { sessionId, tokenId } = caller;
    if (sessionId !== undefined && this.#ports.sessions.find(sessionId) === undefined) return false;
    const holder = this.#ports.directory.holder(tokenId);
    return holder !== undefined && includes(holder.role, role);
  }

  async #caller(request: FastifyRequest): Promise<Caller> {
    const { authorization, cookie } = request.headers;
    const token = BEARER.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      const sessionId = sessionIdOf(cookie, this.cookieScope(request));
      if (sessionId !== undefined) return this.#bySession(request, sessionId);
      throw new RejectedError('unauthorized', 'the request needs Authorization: Bearer TOKEN');
    }
    const known = this.#ports.tokenCheck.knownHolder(token);
    const failing = this.#failing(request.ip, token);
    if (known === undefined) this.#mayTry(failing);
    const holder = known ?? (await this.#ports.tokenCheck.holder(token));
    if (holder === undefined) return this.#fail(failing, 'the token is unknown, revoked or expired');
    this.#ports.directory.used(holder.tokenId);
    return { ...holder, via: 'token' };
  }

  /** A browser adds the cookie by itself, to whatever page's call: so it counts only with proof that the page is ours. */
  #bySession(request: FastifyRequest, sessionId: string): Caller {
    const session = this.#ports.sessions.find(sessionId);
    const holder = session && this.#ports.directory.holder(session.tokenId);
    if (session === undefined || holder === undefined)
      return this.#fail(request.ip, 'the session has ended: sign in again');
    const { headers } = request;
    const csrfToken = headers[CSRF_HEADER];
    const proven = typeof csrfToken === 'string' && session.isCsrfToken(csrfToken);
    if (!proven || !comesFromOwnPage(headers, this.#ports.origins()))
      throw new RejectedError('cross-site', 'a session counts only in a call of the console itself');
    return { ...holder, via: 'session', sessionId };
  }

  /** As whom a call with this token fails: one that there is must not be held up by others on its address. */
  #failing(address: string, token: string): string {
    const tokenId = tokenIdOf(token);
    const exists = tokenId !== undefined && this.#ports.directory.token(tokenId) !== undefined;
    return exists ? `${address} ${tokenId}` : address;
  }

  #mayTry(failing: string): void {
    const retryAfterMs = this.#failures.waitMs(failing);
    if (retryAfterMs > 0)
      throw new TransientError('too-many-requests', 'too many failed calls', { retryAfterMs });
  }

  #fail(failing: string, why: string): never {
    this.#mayTry(failing);
    this.#failures.take(failing);
    throw new RejectedError('unauthorized', why);
  }
}

const includes = (role: Role, needed: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(needed);
