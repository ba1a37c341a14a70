import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { createKeyFile, isEncrypted, readKeyFile, thumbprint, type SigningKey } from '@bowline/identity';
import type { Ed25519Jwk } from '@bowline/messages';
import { ConfigError, hasCode } from '@bowline/runtime';
import { suggest } from '@bowline/runtime/suggest';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

type Env = Context['env'];

/** Where an operator's keys are: `BOWLINE_KEYS`, else `~/.config/bowline/keys`. */
export const keysFolder = (env: Env): string =>
  env['BOWLINE_KEYS'] || join(homedir(), '.config/bowline/keys');

export interface KeyEntry {
  name: string;
  file: string;
  encrypted: boolean;
}

export function listKeys(env: Env): KeyEntry[] {
  const folder = keysFolder(env);
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith('.pem'))
      .toSorted()
      .map((entry) => {
        const file = join(folder, entry);
        return {
          name: entry.slice(0, -'.pem'.length),
          file,
          encrypted: isEncrypted(readFileSync(file, 'utf8')),
        };
      });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** @throws CliError `usage`, `key-exists` */
export async function newKey(env: Env, name: string, withPassphrase: boolean): Promise<SigningKey> {
  if (!NAME.test(name)) {
    throw new CliError('usage', `"${name}" cannot be the name of a key.`, {
      exitCode: EXIT.usage,
      advice: 'Letters, digits, dot, hyphen and underscore, at most 64.',
    });
  }
  const passphrase = withPassphrase
    ? await askPassphrase(env, `Passphrase for the new key ${name}`)
    : undefined;
  return told(() => createKeyFile(join(keysFolder(env), `${name}.pem`), passphrase));
}

/**
 * @param named by its name in the folder of keys, or by its file.
 * @throws CliError `no-key`, `bad-key`, `file-unsafe`
 */
export function openKey(env: Env, named: string): Promise<SigningKey> {
  const inFolder = join(keysFolder(env), `${named}.pem`);
  const file = NAME.test(named) && existsSync(inFolder) ? inFolder : named;
  if (!existsSync(file)) {
    const meant = suggest(
      named,
      listKeys(env).map(({ name }) => name),
    );
    throw new CliError('no-key', `There is no key "${named}".`, {
      exitCode: EXIT.usage,
      advice: meant === undefined ? 'See: bowline keys list' : `Did you mean ${meant}?`,
    });
  }
  return told(() => readKeyFile(file, () => askPassphrase(env, `Passphrase of ${named}`)));
}

/** What is to be mended, as the command line says it. */
export async function told<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const sentence = `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
    throw new CliError(error.code, sentence, { exitCode: EXIT.usage, advice: '', cause: error });
  }
}

/** A key of ours by name, or the public half of somebody else's: what `bowline keys show` printed, or a JWK. */
export async function publicKey(env: Env, named: string): Promise<Ed25519Jwk> {
  if (!named.endsWith('.json') && !named.endsWith('.jwk')) return (await openKey(env, named)).publicJwk;
  try {
    const value = JSON.parse(readFileSync(named, 'utf8')) as { jwk?: Ed25519Jwk } & Ed25519Jwk;
    const { kty, crv, x } = value.jwk ?? value;
    await thumbprint({ kty, crv, x });
    return { kty, crv, x };
  } catch (cause) {
    throw new CliError('file-unreadable', `${named} holds no public key.`, {
      exitCode: EXIT.usage,
      advice: 'Make it: bowline keys show NAME > FILE',
      cause,
    });
  }
}

/** From `BOWLINE_PASSPHRASE`, else typed at the terminal without an echo. */
async function askPassphrase(env: Env, question: string): Promise<string> {
  const given = env['BOWLINE_PASSPHRASE'];
  if (given !== undefined && given !== '') return given;
  if (!process.stdin.isTTY) {
    throw new CliError('usage', 'The key needs a passphrase, and there is nobody to ask.', {
      exitCode: EXIT.usage,
      advice: 'Put it into BOWLINE_PASSPHRASE.',
    });
  }
  process.stderr.write(`${question}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  const typed = await terminal.question('');
  terminal.close();
  process.stderr.write('\n');
  if (typed !== '') return typed;
  throw new CliError('usage', 'A passphrase must not be empty.', { exitCode: EXIT.usage, advice: '' });
}
