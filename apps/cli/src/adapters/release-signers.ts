import { execFile } from 'node:child_process';
import { createPrivateKey, sign } from 'node:crypto';
import type { Ed25519Jwk } from '@bowline/messages';
import type { ReleaseSigner } from '@bowline/releases/publisher';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { openKey, publicKey } from './signing-keys.ts';

/** A key that a program guards: a hardware token, a service. It is called as `PROGRAM public` and `PROGRAM sign`. */
const PROGRAM = 'exec:';
const DEADLINE_MS = 120_000;
const SIGNATURE_BYTES = 64;

/**
 * Whoever signs: a key of ours by name or file, or `exec:PROGRAM`. `PROGRAM public` prints the public key as JWK; `PROGRAM sign`
 * reads the bytes to be signed from its standard input, and prints the Ed25519 signature, base64url.
 */
export async function releaseSigner({ env }: Context, named: string): Promise<ReleaseSigner> {
  if (named.startsWith(PROGRAM)) {
    const program = named.slice(PROGRAM.length);
    return { jwk: await askForKey(program), sign: (bytes) => askForSignature(program, bytes) };
  }
  const key = await openKey(env, named);
  const privateKey = createPrivateKey(key.privatePem);
  return { jwk: key.publicJwk, sign: (bytes) => Promise.resolve(sign(undefined, bytes, privateKey)) };
}

/** As {@link releaseSigner}; the public half of somebody else's key will do. */
export async function releaseKey(context: Context, named: string): Promise<Ed25519Jwk> {
  if (named.startsWith(PROGRAM)) return askForKey(named.slice(PROGRAM.length));
  return publicKey(context.env, named);
}

async function askForKey(program: string): Promise<Ed25519Jwk> {
  const text = await ask(program, 'public');
  try {
    const { kty, crv, x } = JSON.parse(text) as Ed25519Jwk;
    if (kty === 'OKP' && crv === 'Ed25519' && Buffer.from(x, 'base64url').length === 32)
      return { kty, crv, x };
  } catch {
    // told below
  }
  throw refused(program, 'does not print an Ed25519 key as JWK when it is called with "public"');
}

async function askForSignature(program: string, bytes: Uint8Array): Promise<Uint8Array> {
  const signature = Buffer.from((await ask(program, 'sign', bytes)).trim(), 'base64url');
  if (signature.length === SIGNATURE_BYTES) return signature;
  throw refused(
    program,
    `prints no signature of ${SIGNATURE_BYTES} bytes, base64url, when it is called with "sign"`,
  );
}

function ask(
  program: string,
  what: 'public' | 'sign',
  input: Uint8Array = new Uint8Array(),
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [what],
      { timeout: DEADLINE_MS, maxBuffer: 65_536 },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const why = stderr.trim().split('\n').at(-1) ?? '';
        reject(refused(program, `failed with "${what}": ${why === '' ? error.message : why}`, error));
      },
    );
    child.stdin?.on('error', () => {}); // it may end without reading
    child.stdin?.end(input);
  });
}

const refused = (program: string, why: string, cause?: unknown) =>
  new CliError('signer-refused', `${program} ${why}.`, { exitCode: EXIT.serverRefused, advice: '', cause });
