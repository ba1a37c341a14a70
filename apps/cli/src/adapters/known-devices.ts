import { homedir } from 'node:os';
import { join } from 'node:path';
import { thumbprint } from '@bowline/identity';
import type { Ed25519Jwk } from '@bowline/messages';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';
import { CliError, EXIT } from '../core/cli-error.ts';
import type { Context } from '../commands/context.ts';
import { remark } from './terminal.ts';

/** Server → device → key. */
type Known = Record<string, Record<string, Ed25519Jwk>>;

const fileOf = (env: Context['env']): string =>
  env['BOWLINE_KNOWN_DEVICES'] || join(homedir(), '.config/bowline/known-devices.json');

/**
 * Which key a device has, for the proof of its host keys: as it was the first time, or as `pinned` says. The server names it, and
 * a captured one could name another; so a key that has changed is refused, and the first can be compared.
 *
 * @throws CliError `device-key-changed`, `wrong-device-key`
 */
export async function deviceKeyFor(
  env: Context['env'],
  device: { server: string; deviceId: string; key: Ed25519Jwk },
  pinned: string | undefined,
): Promise<Ed25519Jwk> {
  const { server, deviceId, key } = device;
  const file = fileOf(env);
  const known = JSON.parse(readFileIfPresent(file) ?? '{}') as Known;
  const told = await thumbprint(key);
  const before = known[server]?.[deviceId];
  if (pinned !== undefined && pinned !== told) {
    throw new CliError('wrong-device-key', `The server says that ${deviceId} has the key ${told}.`, {
      exitCode: EXIT.serverRefused,
      advice: `You expect ${pinned}. On the device, bowline identity shows its key. Do not go on.`,
    });
  }
  if (before !== undefined && pinned === undefined && (await thumbprint(before)) !== told) {
    throw new CliError('device-key-changed', `${deviceId} had another key when you last opened a session.`, {
      exitCode: EXIT.serverRefused,
      advice: `Now the server names ${told}. Compare it with bowline identity on the device, then say --device-key ${told}.`,
    });
  }
  if (before === undefined || pinned !== undefined) {
    if (pinned === undefined)
      remark(
        `First session with ${deviceId}; its key is ${told} (bowline identity on the device shows it, too).`,
      );
    known[server] = { ...known[server], [deviceId]: key };
    writeFileDurably(file, `${JSON.stringify(known, null, 2)}\n`);
  }
  return key;
}
