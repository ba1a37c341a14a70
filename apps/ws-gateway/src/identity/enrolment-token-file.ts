import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError, hasCode } from '@bowline/runtime';

/** A token is `SECRET.THUMBPRINT`, at most 300 characters: what is larger is another file. */
const MAX_BYTES = 4096;

export const hashOfToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

/**
 * The token that somebody put there for the device to enrol with; undefined if there is none.
 *
 * @throws ConfigError `token-unreadable`
 */
export function readTokenFile(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').slice(0, MAX_BYTES).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new ConfigError('token-unreadable', `${file} cannot be read: give it to the user of the gateway`, {
      cause: error,
    });
  }
}
