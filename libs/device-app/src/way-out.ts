import type { HubClient } from '@bowline/ipc';
import { BowlineError, hashOf, retry, writeFileDurably, type Clock, type Logger } from '@bowline/runtime';
import { readProxy, type ProxyKeys, type ProxySettings } from '@bowline/runtime/proxy';
import { keptFile, readKept, wayOf } from './kept-link-proxy.ts';

/** An app's own (`wayOutConfig`). */
export type WayOutKeys = ProxyKeys & { proxy: string };

export interface WayOutOptions {
  keys: WayOutKeys;
  /** Of them in the configuration, e.g. `supply.`. */
  prefix: string;
  client: Pick<HubClient, 'request' | 'onRegistered' | 'onNotification'>;
  /** Where the link's way is kept: it counts while the gateway is away, too. */
  stateDir: string;
  log: Logger;
  clock: Clock;
  signal: AbortSignal;
}

/** How an app reaches the net. The same object for as long as the way is the same. */
export interface WayOut {
  /** undefined: directly. */
  own(): ProxySettings | undefined;
  /** The one that the link takes, as the gateway told it last. */
  link(): ProxySettings | undefined;
}

/** @throws ConfigError `bad-proxy`, `bad-certificate` */
export function followWayOut(options: WayOutOptions): WayOut {
  const { keys, prefix, client, stateDir, log, clock, signal } = options;
  const isLinks = keys.proxy === 'link';
  const ofItsOwn = isLinks || keys.proxy === 'none' ? undefined : readProxy(keys, prefix);
  const before = readKept(stateDir);
  let link = before?.way;
  let kept = before?.told;

  const ask = async () => {
    try {
      const told = await retry(() => client.request('linkProxy', {}, { signal }), { clock, signal });
      if (hashOf(told) === hashOf(kept ?? {})) return;
      link = wayOf(told);
      log.info({ proxy: link?.url.host ?? 'none' }, 'the way of the link is another');
      writeFileDurably(keptFile(stateDir), JSON.stringify(told));
      kept = told;
    } catch (error) {
      if (signal.aborted) return;
      // A gateway of an earlier release, or one whose setting is no good: what is held counts. Or a disk that takes no more.
      const { code, message } = error as NodeJS.ErrnoException;
      if (!(error instanceof BowlineError) && code === undefined) throw error;
      log.warn({ code }, message);
    }
  };
  client.onRegistered(() => void ask());
  client.onNotification('linkProxy', () => void ask());
  return { own: () => (isLinks ? link : ofItsOwn), link: () => link };
}
