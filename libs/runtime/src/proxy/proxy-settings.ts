import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';
import { isExcepted } from './except.ts';

/** A way out that only an HTTP proxy knows. */
export interface ProxySettings {
  /** `http:` or `https:`, with name and password where it asks for them. */
  url: URL;
  /** PEM: whom to trust for the TLS of the proxy itself, instead of the system's authorities. */
  ca?: string;
  /** What is reached without it: see {@link isExcepted}. */
  except: readonly string[];
}

/** The keys of a configuration that say so, wherever in it they stand. */
export interface ProxyKeys {
  proxy?: string | undefined;
  proxyCaFile?: string | undefined;
  noProxy: readonly string[];
}

/** Of `proxy`. Whoever has a name has a password: what shows addresses to people leaves that out. */
export const PROXY_PATTERN =
  'https?://([^\\s/:@]+:[^\\s/:@]+@)?(\\[[0-9a-fA-F:.]+\\]|[^\\s/:@\\[]+)(:[0-9]{1,5})?/?';

/** Of an entry of `noProxy`. */
export const NO_PROXY_PATTERN = '[A-Za-z0-9._:-]+(/[0-9]{1,3})?';

/** The proxy of another machine would take these for its own. */
export const LOOPBACK: readonly string[] = ['localhost', '127.0.0.0/8', '::1'];

/**
 * @param prefix of the keys in the configuration, for messages: `link.`
 * @returns undefined: the way is direct.
 * @throws ConfigError `bad-proxy`, `bad-certificate`
 */
export function readProxy(
  { proxy, proxyCaFile, noProxy }: ProxyKeys,
  prefix: string,
): ProxySettings | undefined {
  const ca = proxyCaFile === undefined ? undefined : readAuthority(proxyCaFile, `${prefix}proxyCaFile`);
  return judgeProxy({ proxy, ca, noProxy }, prefix);
}

/** The same with what is in the file. @throws ConfigError `bad-proxy`, `bad-certificate` */
export function judgeProxy(
  { proxy, ca, noProxy }: { proxy?: string | undefined; ca?: string | undefined; noProxy: readonly string[] },
  prefix: string,
): ProxySettings | undefined {
  if (proxy === undefined) return undefined;
  const url = parseProxy(proxy, `${prefix}proxy`);
  checkExcept(noProxy, `${prefix}noProxy`);
  if (ca === undefined) return { url, except: noProxy };
  mustBeCertificate(ca, 'the authority of the proxy');
  return { url, except: noProxy, ca };
}

/** The proxy through which this target is reached; undefined: directly. */
export const proxyFor = (proxy: ProxySettings | undefined, target: URL): ProxySettings | undefined =>
  proxy === undefined || isExcepted(target.hostname, proxy.except) ? undefined : proxy;

/** Its text is not repeated: it may hold a password. @throws ConfigError `bad-proxy` */
function parseProxy(text: string, key: string): URL {
  try {
    const url = new URL(text);
    decodeURIComponent(`${url.username}${url.password}`);
    if (!/^https?:$/.test(url.protocol)) throw new TypeError('neither http nor https');
    return url;
  } catch (cause) {
    const message = `${key} is no address: write http://HOST:PORT, a name and password in front of it with %XX for what is no letter or digit`;
    throw new ConfigError('bad-proxy', message, { cause });
  }
}

function checkExcept(noProxy: readonly string[], key: string): void {
  for (const entry of noProxy) {
    try {
      isExcepted('127.0.0.1', [entry]);
      isExcepted('[::1]', [entry]);
    } catch (cause) {
      const message = `${key}: ${entry} is no network: write it as 10.0.0.0/8 or fd00::/8`;
      throw new ConfigError('bad-proxy', message, { cause });
    }
  }
}

/** Longest list of authorities in PEM: some four times that of a system. */
const MAX_PEM_CHARS = 2 ** 20;

/** The authorities in a file. @throws ConfigError `bad-certificate` */
export function readAuthority(file: string, setting: string): string {
  const pem = readPem(file, setting);
  if (pem.length > MAX_PEM_CHARS)
    throw new ConfigError('bad-certificate', `${setting}: ${file} is larger than ${MAX_PEM_CHARS} bytes`);
  mustBeCertificate(pem, file);
  return pem;
}

/** @throws ConfigError `bad-certificate` */
export function readPem(file: string, setting: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(`${setting}: ${file} cannot be read`, error);
  }
}

/** Node takes any text for a list of authorities and trusts nobody then: better to say so. @throws ConfigError `bad-certificate` */
export function mustBeCertificate(pem: string, what: string): void {
  try {
    void new X509Certificate(pem);
  } catch (error) {
    throw unusable(`${what} is no certificate in PEM`, error);
  }
}

export const unusable = (what: string, cause: unknown) =>
  new ConfigError('bad-certificate', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
