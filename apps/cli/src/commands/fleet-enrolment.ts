import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { signDeviceKeyCertificate, thumbprint } from '@bowline/identity';
import type { Ed25519Jwk, EnrolmentTokenState } from '@bowline/messages';
import { confirm } from '../adapters/confirm.ts';
import { knownKey, rememberKey } from '../adapters/known-devices.ts';
import { findDevice, type NewToken, type OperatorsApi } from '../adapters/operators-api.ts';
import { openKey } from '../adapters/signing-keys.ts';
import { print, printJson, remark, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline fleet tokens create`: the token alone on standard output, what it is good for beside it. */
export async function createToken({ json }: Context, api: OperatorsApi, wanted: NewToken): Promise<void> {
  const made = await api.createToken(wanted);
  if (json) return printJson(made);
  print(made.token);
  const whom = made.deviceId === undefined ? devices(made.maxUses) : `the device ${made.deviceId}`;
  remark(`Good for ${whom} until ${dayAndTime(made.expiresAt)}; it is shown this once (id ${made.tokenId}).`);
}

/** `bowline fleet tokens list`: those that live, oldest first. */
export async function listTokens({ json }: Context, api: OperatorsApi): Promise<void> {
  const tokens = await api.tokens();
  if (json) return printJson({ tokens });
  if (tokens.length === 0) return print('No enrolment tokens.');
  print(table(['token', 'for', 'name', 'groups', 'used', 'until'], tokens.map(rowOf)));
}

/** `bowline fleet tokens revoke ID` */
export async function revokeToken({ json }: Context, api: OperatorsApi, tokenId: string): Promise<void> {
  const token = await api.revokeToken(tokenId);
  if (json) return printJson(token);
  print(`No key enrols with ${tokenId} any more. It was used by ${devices(token.uses)}; they stay.`);
}

/** `bowline fleet register DEVICE FILE`: a key that may enrol without a token. */
export async function registerDevice(
  { env, json }: Context,
  api: OperatorsApi,
  deviceId: string,
  file: string,
  about: { name?: string | undefined; groups: string[] },
): Promise<void> {
  const key = await readDeviceKey(file);
  const device = await api.register(deviceId, key, about);
  rememberKey(env, { server: api.url, deviceId, key });
  if (json) return printJson(device);
  print(`${deviceId} may enrol with that key: bowline enroll --server ${api.url}`);
}

/**
 * `bowline fleet certify DEVICE`: an authority's word for its key, alone on standard output.
 *
 * @param key file with what `bowline identity` printed; else the key that is known here.
 */
export async function certifyDevice(
  { env, json }: Context,
  { url }: OperatorsApi,
  deviceId: string,
  { key: file, sign }: { key: string | undefined; sign: string },
): Promise<void> {
  const key = file === undefined ? knownKey(env, url, deviceId) : await readDeviceKey(file);
  if (key === undefined) {
    throw new CliError('usage', `The key of ${deviceId} is not known here.`, {
      exitCode: EXIT.usage,
      advice: 'Read it on the device (bowline identity > key.json), and say --key key.json.',
    });
  }
  const authority = await openKey(env, sign);
  const certificate = await signDeviceKeyCertificate(authority, { deviceId, key, nowMs: Date.now() });
  if (json) return printJson({ deviceId, certificate });
  print(certificate);
  remark(
    `${authority.thumbprint} (${sign}) says with it that ${deviceId} has the key ${await thumbprint(key)}.`,
  );
}

/** `bowline fleet revoke|restore DEVICE` */
export async function setAccess(
  { json }: Context,
  api: OperatorsApi,
  deviceId: string,
  what: 'revoke' | 'restore',
): Promise<void> {
  await findDevice(api, deviceId);
  const device = await api.setAccess(deviceId, what);
  if (json) return printJson(device);
  if (what === 'revoke') print(`${deviceId} is revoked: its link has ended, and it is not let in again.`);
  else print(`${deviceId} may connect again. It tries within two hours of the refusal, or at its restart.`);
}

/** `bowline fleet decommission DEVICE`: asks before it forgets. */
export async function decommission(
  { json, signal }: Context,
  api: OperatorsApi,
  deviceId: string,
  yes: boolean,
): Promise<void> {
  await findDevice(api, deviceId);
  const loss = `The server forgets ${deviceId} for good: its key, its orders, and all that it ever sent.`;
  remark(loss);
  await confirm('Go on?', { yes, signal });
  const done = await api.decommission(deviceId);
  if (json) printJson(done);
  else print(`${deviceId} is gone.`);
}

const devices = (count: number): string => (count === 1 ? '1 device' : `${count} devices`);

const rowOf = ({ tokenId, deviceId, name, groups, uses, maxUses, expiresAt }: EnrolmentTokenState) => [
  tokenId,
  deviceId ?? 'any device',
  name ?? '',
  groups.join(', '),
  `${uses} of ${maxUses}`,
  dayAndTime(expiresAt),
];

/** What `bowline identity` prints. @param file `-` is standard input. @throws CliError `file-unreadable` */
async function readDeviceKey(file: string): Promise<Ed25519Jwk> {
  try {
    const json = file === '-' ? await text(process.stdin) : readFileSync(file, 'utf8');
    const { kty, crv, x } = JSON.parse(json) as Ed25519Jwk;
    await thumbprint({ kty, crv, x });
    return { kty, crv, x };
  } catch (error) {
    throw new CliError('file-unreadable', `${file} holds no key: ${String(error)}`, {
      exitCode: EXIT.usage,
      advice: 'On the device: bowline identity > key.json',
      cause: error,
    });
  }
}
