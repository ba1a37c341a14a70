import { homedir } from 'node:os';
import { join } from 'node:path';
import { thumbprint } from '@bowline/identity';
import type { Ed25519Jwk } from '@bowline/messages';
import { hasCode, readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from '../commands/context.ts';
import { certifiedKey, type DeviceAuthority } from './certified-devices.ts';
import { remark } from './terminal.ts';

/** Server → device → key. */
type Known = Record<string, Record<string, Ed25519Jwk>>;
type Env = Context['env'];

/** As the server names it. */
export interface ToldDevice {
  server: string;
  deviceId: string;
  key: Ed25519Jwk;
}

/** How the operator knows the key without the server. */
export interface Expected {
  /** Thumbprint. */
  pinned: string | undefined;
  certified: DeviceAuthority | undefined;
}

const fileOf = (env: Env): string =>
  env['BOWLINE_KNOWN_DEVICES'] || join(homedir(), '.config/bowline/known-devices.json');

const readKnown = (env: Env): Known => JSON.parse(readFileIfPresent(fileOf(env)) ?? '{}') as Known;

export const knownKey = (env: Env, server: string, deviceId: string): Ed25519Jwk | undefined =>
  readKnown(env)[server]?.[deviceId];

/** A key that the operator has read on the device himself. Where it cannot be kept, the first session asks for it. */
export function rememberKey(env: Env, { server, deviceId, key: { kty, crv, x } }: ToldDevice): void {
  const known = readKnown(env);
  known[server] = { ...known[server], [deviceId]: { kty, crv, x } };
  try {
    writeFileDurably(fileOf(env), `${JSON.stringify(known, null, 2)}\n`);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM', 'ENOTDIR', 'ENOSPC')) throw error;
    remark(`The key of ${deviceId} could not be kept in ${fileOf(env)}.`);
  }
}

/**
 * Which key a device has, for the proof of its host keys: as an authority, `pinned`, or the operator's own file says, or as it is
 * the first time. The server names it, and a captured one could name another; so a key that is not that one is refused, and the
 * first can be compared.
 *
 * @throws CliError `device-key-changed`, `wrong-device-key`, `device-not-certified`
 */
export async function deviceKeyFor(
  env: Env,
  device: ToldDevice,
  { pinned, certified }: Expected,
): Promise<Ed25519Jwk> {
  const { server, deviceId, key } = device;
  const told = await thumbprint(key);
  const byAuthority = certified && (await thumbprint(await certifiedKey(env, deviceId, certified)));
  for (const [expected, who] of [
    [pinned, 'You expect'],
    [byAuthority, 'The certificate names'],
  ] as const) {
    if (expected === undefined || expected === told) continue;
    throw new CliError('wrong-device-key', `The server says that ${deviceId} has the key ${told}.`, {
      exitCode: EXIT.serverRefused,
      advice: `${who} ${expected}. On the device, bowline identity shows its key. Do not go on.`,
    });
  }
  const vouched = pinned !== undefined || certified !== undefined;
  const before = knownKey(env, server, deviceId);
  if (before !== undefined && !vouched && (await thumbprint(before)) !== told) {
    throw new CliError('device-key-changed', `${deviceId} had another key until now.`, {
      exitCode: EXIT.serverRefused,
      advice: `Now the server names ${told}. Compare it with bowline identity on the device, then say --device-key ${told}.`,
    });
  }
  if (before === undefined && !vouched)
    remark(
      `First session with ${deviceId}; its key is ${told} (bowline identity on the device shows it, too).`,
    );
  if (before === undefined || vouched) rememberKey(env, device);
  return key;
}
