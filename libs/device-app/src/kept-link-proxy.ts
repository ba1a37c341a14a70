import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxySettings } from '@bowline/runtime/proxy';

/** In the state folder of an app: what the gateway told last of the way that the link takes. */
export const keptFile = (stateDir: string): string => join(stateDir, 'link-proxy.json');

/** undefined: nothing, or nothing that can be read. */
export function readKept(stateDir: string): unknown {
  try {
    return JSON.parse(readFileSync(keptFile(stateDir), 'utf8'));
  } catch {
    return undefined; // it is told again
  }
}

/** What the gateway has told, and judged before. Nothing usable is no proxy. */
export function wayOf(told: unknown): ProxySettings | undefined {
  const { proxy, ca, noProxy } = (told ?? {}) as { proxy?: string; ca?: string; noProxy?: string[] };
  const url = proxy === undefined ? null : URL.parse(proxy);
  if (url === null) return undefined;
  return { url, except: noProxy ?? [], ...(ca === undefined ? {} : { ca }) };
}

/** The way of the link, for a program that has no hub to ask. */
export const keptLinkProxy = (stateDir: string): ProxySettings | undefined => wayOf(readKept(stateDir));
