import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { loadOrCreateKey, signTrustBundle } from '@bowline/identity';
import type { TrustBundle, TrustBundleJws } from '@bowline/messages';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';

export interface ServerKeys {
  rootThumbprint: string;
  /** Signed once: devices compare its bytes. */
  trust: TrustBundleJws;
  operatorToken: string;
  operatorTokenFile: string;
}

const TOKEN_BYTES = 32;

/**
 * What a server makes at its first start and keeps in files of mode 0600: the root key, the trust bundle that it signed,
 * the operators' token.
 *
 * @throws ConfigError `bad-key`
 */
export async function loadServerKeys(stateDir: string): Promise<ServerKeys> {
  const root = await loadOrCreateKey(join(stateDir, 'root-key.pem'));
  const operatorTokenFile = join(stateDir, 'operator-token');
  return {
    rootThumbprint: root.thumbprint,
    trust: await loadTrust(join(stateDir, 'trust.json'), (bundle) => signTrustBundle(bundle, [root]), {
      version: 1,
      keys: { root: [root.publicJwk], update: [], access: [], command: [] },
      threshold: 1,
    }),
    operatorToken: loadOperatorToken(operatorTokenFile),
    operatorTokenFile,
  };
}

async function loadTrust(
  file: string,
  sign: (bundle: TrustBundle) => Promise<TrustBundleJws>,
  first: TrustBundle,
): Promise<TrustBundleJws> {
  const held = readFileIfPresent(file);
  if (held !== undefined) return JSON.parse(held) as TrustBundleJws;
  const signed = await sign(first);
  writeFileDurably(file, JSON.stringify(signed));
  return signed;
}

function loadOperatorToken(file: string): string {
  const held = readFileIfPresent(file)?.trim();
  if (held !== undefined && held !== '') return held;
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  writeFileDurably(file, `${token}\n`);
  return token;
}
