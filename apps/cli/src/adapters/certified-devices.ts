import { readFileSync } from 'node:fs';
import { thumbprint, verifyDeviceKeyCertificate } from '@bowline/identity';
import type { DeviceKeyCertificate, Ed25519Jwk } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime/errors';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { publicKey } from './signing-keys.ts';

/** An authority whose word counts for the keys of devices, and where that is. */
export interface DeviceAuthority {
  /** A key of the operator's by name, or a file with a public one. */
  authority: string;
  /** A certificate a line. */
  file: string;
}

/**
 * The key that the authority's latest certificate for a device names. Lines that it has not signed count for nothing.
 *
 * @throws CliError `device-not-certified`, `file-unreadable`, `no-key`
 */
export async function certifiedKey(
  env: Context['env'],
  deviceId: string,
  { authority, file }: DeviceAuthority,
): Promise<Ed25519Jwk> {
  const by = await publicKey(env, authority);
  const read = await Promise.all(linesOf(file).map((line) => readCertificate(line, by)));
  const latest = read
    .filter((each) => each?.deviceId === deviceId)
    .reduce((one, other) => ((other?.iat ?? 0) >= (one?.iat ?? 0) ? other : one), undefined);
  if (latest !== undefined) return latest.key;
  throw new CliError(
    'device-not-certified',
    `No certificate of that authority in ${file} is for ${deviceId}.`,
    {
      exitCode: EXIT.serverRefused,
      advice: `Whoever has the key ${await thumbprint(by)} makes one: bowline fleet certify ${deviceId} --key KEY-FILE --sign KEY`,
    },
  );
}

async function readCertificate(
  line: string,
  authority: Ed25519Jwk,
): Promise<DeviceKeyCertificate | undefined> {
  try {
    return await verifyDeviceKeyCertificate(line, authority);
  } catch (error) {
    if (error instanceof RejectedError) return undefined;
    throw error;
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  } catch (cause) {
    throw new CliError('file-unreadable', `${file} cannot be read.`, {
      exitCode: EXIT.usage,
      advice: 'It holds certificates of devices, one a line: bowline fleet certify',
      cause,
    });
  }
}
