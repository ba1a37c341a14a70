import { thumbprint, type SigningKey } from '@bowline/identity';
import { keysFolder, listKeys, newKey, openKey } from '../adapters/signing-keys.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import type { Context } from './context.ts';

/** `bowline keys new NAME` */
export async function makeKey(context: Context, name: string, passphrase: boolean): Promise<void> {
  const key = await newKey(context.env, name, passphrase);
  if (context.json) return printJson(await publicPart(name, key));
  print(`Key ${name} is in ${keysFolder(context.env)}, thumbprint ${key.thumbprint}.`);
  print(`Give it a role: bowline fleet trust add-key command ${name} --sign ROOT-KEY`);
}

/** `bowline keys list` */
export function showKeys(context: Context): void {
  const keys = listKeys(context.env);
  if (context.json) return printJson({ folder: keysFolder(context.env), keys });
  if (keys.length === 0)
    return print(`No keys in ${keysFolder(context.env)}. Make one: bowline keys new NAME`);
  print(
    table(
      ['name', 'passphrase', 'file'],
      keys.map(({ name, encrypted, file }) => [name, encrypted ? 'yes' : 'no', file]),
    ),
  );
}

/** `bowline keys show NAME`: the public half, to be given to whoever signs trust bundles. */
export async function showKey(context: Context, name: string): Promise<void> {
  printJson(await publicPart(name, await openKey(context.env, name)));
}

const publicPart = async (name: string, { publicJwk }: SigningKey) => ({
  name,
  thumbprint: await thumbprint(publicJwk),
  jwk: publicJwk,
});
