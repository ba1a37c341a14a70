import { Agent as HttpAgent, request as httpRequest, type ClientRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '@bowline/runtime';
import { proxyAgent, proxyFor, toProxy, type ProxySettings } from '@bowline/runtime/proxy';

export interface WaysOptions {
  /** Authorities in PEM, instead of those of the system. */
  ca?: string | undefined;
  /** The proxy as it is now, if this device has one; asked before each request. */
  proxy?: (() => ProxySettings | undefined) | undefined;
  clock: Clock;
  /** Within which a proxy has to open a tunnel. */
  deadlineMs: number;
}

/** How a request was sent. */
export interface Sent {
  request: ClientRequest;
  /** What has passed a plain request on: its answers and the server's cannot be told apart. */
  passedOnBy: ProxySettings | undefined;
}

/** Connections that are kept for the requests to come, direct ones and those through a proxy. */
export class Ways {
  readonly #options: WaysOptions;
  readonly #agents = new Map<string, HttpAgent>();
  readonly #closed = new AbortController();
  #proxy: ProxySettings | undefined;

  constructor(options: WaysOptions) {
    this.#options = options;
  }

  /** A GET. Through a proxy it goes within a tunnel (`https:`), or is passed on (`http:`; RFC 9112, section 3.2.2). */
  get(url: URL, headers: Record<string, string>): Sent {
    const now = this.#options.proxy?.();
    if (now !== this.#proxy) {
      // What is under way goes on by the new way, from where it is.
      this.#dropAll();
      this.#proxy = now;
    }
    const secure = url.protocol === 'https:';
    const proxy = proxyFor(now, url);
    if (proxy === undefined || secure) {
      const agent = this.#agent(`${url.protocol} ${proxy === undefined ? 'direct' : 'proxy'}`, () =>
        proxy === undefined ? this.#direct(secure) : this.#tunnels(proxy),
      );
      const { ca } = this.#options;
      const tls = secure && ca !== undefined ? { ca } : {};
      const request = (secure ? httpsRequest : httpRequest)(url, { agent, headers, ...tls });
      return { request, passedOnBy: undefined };
    }
    const way = toProxy(proxy);
    const agent = this.#agent('passed on', () => this.#direct(proxy.url.protocol === 'https:'));
    const request = way.send({
      ...way.options,
      path: `${url.origin}${url.pathname}${url.search}`,
      headers: { host: url.host, ...headers, ...way.headers },
      agent,
    });
    return { request, passedOnBy: proxy };
  }

  close(): void {
    this.#closed.abort();
    this.#dropAll();
  }

  #direct(secure: boolean): HttpAgent {
    return secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  }

  #tunnels(proxy: ProxySettings): HttpAgent {
    const { clock, deadlineMs } = this.#options;
    return proxyAgent({
      proxy,
      secure: true,
      keepAlive: true,
      clock,
      deadlineMs,
      signal: this.#closed.signal,
    });
  }

  #agent(name: string, make: () => HttpAgent): HttpAgent {
    const agent = this.#agents.get(name) ?? make();
    this.#agents.set(name, agent);
    return agent;
  }

  #dropAll(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}
