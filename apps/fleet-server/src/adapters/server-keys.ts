import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadOrCreateKey, signTrustBundle } from '@bowline/identity';
import { check, type TrustBundleJws } from '@bowline/messages';
import { trustBundleJws } from '@bowline/messages/trust';
import { ConfigError, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { ServerTrust } from '@bowline/server-sdk';

export interface ServerKeys {
  trust: ServerTrust;
  operatorToken: string;
  operatorTokenFile: string;
  /** A root key that lies beside it all, as this server made it or somebody put it there. */
  rootKeyFile: string | undefined;
}

const TOKEN_BYTES = 32;
const OPEN_TO_OTHERS = 0o077;

const rootKeyIn = (stateDir: string): string => join(stateDir, 'root-key.pem');

/**
 * What a server makes at its first start and keeps in files of mode 0600: the operators' token, and, unless there is a
 * `trust.json` already, a trust bundle with a root key of its own beside it. A fleet whose root keys are kept elsewhere puts its
 * first bundle there beforehand (docs/signed-orders.md); the server never needs a root key.
 *
 * @throws ConfigError `bad-key`, `bad-trust`, `file-unsafe` (others may read the operators' token)
 */
export async function loadServerKeys(stateDir: string): Promise<ServerKeys> {
  const operatorTokenFile = join(stateDir, 'operator-token');
  const trust = await loadTrust(stateDir);
  const rootKeyFile = rootKeyIn(stateDir);
  return {
    trust,
    rootKeyFile: existsSync(rootKeyFile) ? rootKeyFile : undefined,
    operatorToken: loadOperatorToken(operatorTokenFile),
    operatorTokenFile,
  };
}

/** `trust.json`: the newest bundle, or a list whose last one it is. */
async function loadTrust(stateDir: string): Promise<ServerTrust> {
  const file = join(stateDir, 'trust.json');
  const write = (chain: readonly TrustBundleJws[]) => writeFileDurably(file, JSON.stringify(chain));
  try {
    return await ServerTrust.load(storedBundles(file) ?? (await firstBundle(stateDir, write)), write);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError('bad-trust', `${file} holds no good trust bundle: ${why}`, { cause: error });
  }
}

function storedBundles(file: string): TrustBundleJws[] | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  const bundles: unknown[] = Array.isArray(value) ? value : [value];
  return bundles.map((bundle) => check<TrustBundleJws>(trustBundleJws, bundle, 'trust'));
}

async function firstBundle(
  stateDir: string,
  write: (chain: readonly TrustBundleJws[]) => void,
): Promise<TrustBundleJws[]> {
  const root = await loadOrCreateKey(rootKeyIn(stateDir));
  const keys = { root: [root.publicJwk], update: [], access: [], command: [] };
  const bundles = [await signTrustBundle({ version: 1, keys, threshold: 1 }, [root])];
  write(bundles);
  return bundles;
}

function loadOperatorToken(file: string): string {
  const held = readFileIfPresent(file)?.trim();
  if (held !== undefined && (statSync(file).mode & OPEN_TO_OTHERS) !== 0)
    throw new ConfigError(
      'file-unsafe',
      `others may use ${file}, which holds an admin's token: chmod 600 it, and put another token in if somebody may have read it`,
    );
  if (held !== undefined && held !== '') return held;
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  writeFileDurably(file, `${token}\n`);
  return token;
}
