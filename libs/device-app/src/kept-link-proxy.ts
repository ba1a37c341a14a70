import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeProxy, type ProxySettings } from '@bowline/runtime/proxy';

/** What the gateway tells of the way that the link takes. */
export interface ToldWay {
  proxy?: string;
  /** PEM. */
  ca?: string;
  noProxy: string[];
}

/** In the state folder of an app: what the gateway told last. */
export const keptFile = (stateDir: string): string => join(stateDir, 'link-proxy.json');

export interface KeptWay {
  told: ToldWay;
  way: ProxySettings | undefined;
}

/** @throws ConfigError `bad-proxy`, `bad-certificate`: what a gateway says is judged here, too. */
export const wayOf = (told: ToldWay): ProxySettings | undefined => judgeProxy(told, 'link.');

/** undefined: nothing is kept, or nothing that can be used; it is told again. */
export function readKept(stateDir: string): KeptWay | undefined {
  try {
    const told = JSON.parse(readFileSync(keptFile(stateDir), 'utf8')) as ToldWay;
    return { told, way: wayOf(told) };
  } catch {
    return undefined;
  }
}

/** The way of the link, for a program that has no hub to ask. */
export const keptLinkProxy = (stateDir: string): ProxySettings | undefined => readKept(stateDir)?.way;
