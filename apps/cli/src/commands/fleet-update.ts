import { signClaims } from '@bowline/identity';
import type { SignedClaims } from '@bowline/messages';
import { v7 as newId } from 'uuid';
import { askSigner } from '../adapters/ask-signer.ts';
import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import { openKey } from '../adapters/signing-keys.ts';
import { paint, print } from '../adapters/terminal.ts';
import type { Context } from './context.ts';
import { followToEnd } from './follow-order.ts';
import { warnIfWaiting } from './warn-if-waiting.ts';

export interface Update {
  name: string;
  version: string;
  channel: string;
  digest?: string;
  allowDowngrade?: boolean;
  /** Nothing is changed: the device answers what it would take. */
  preview?: boolean;
  /** It may be tried though it has failed there before. */
  retryFailed?: boolean;
  rollout?: { percent: number; salt: string };
  reason?: string;
  /** Key by name or file; or the URL of a signer process. */
  sign?: string;
  signer?: string;
  validMs: number;
}

/** `bowline fleet update DEVICE NAME VERSION`: has a device install a release, and follows that to its end. Returns the exit code. */
export async function fleetUpdate(
  context: Context,
  api: OperatorsApi,
  deviceId: string,
  update: Update,
  timeoutMs: number,
): Promise<number> {
  const device = await findDevice(api, deviceId);
  const orderId = newId();
  const order = await signUpdate(context, deviceId, update, orderId);
  const given = await api.giveOrder(deviceId, { orderId, type: 'softwareUpdate', payload: { order } });
  if (!context.json) {
    print(`${paint('bold', `${update.name} ${update.version}`)} to ${deviceId}, order ${orderId}`);
    warnIfWaiting(device);
  }
  return followToEnd(context, api, given, timeoutMs);
}

/**
 * `bowline fleet update … --print`: the signed order alone, for a bundle.
 *
 * @param audience a device id, or `group:NAME`.
 */
export async function printUpdate(context: Context, audience: string, update: Update): Promise<void> {
  print(await signUpdate(context, audience, update));
}

/** The signed order alone. @param orderId that it is for; absent: good for any one, once on each device. */
export async function signUpdate(
  { env }: Context,
  audience: string,
  {
    name,
    version,
    channel,
    digest,
    allowDowngrade,
    preview,
    retryFailed,
    rollout,
    reason,
    sign,
    signer,
    validMs,
  }: Update,
  orderId?: string,
): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  const claims: SignedClaims<'softwareUpdate'> = {
    aud: audience,
    jti: newId(),
    iat,
    exp: iat + Math.ceil(validMs / 1000),
    channel,
    name,
    version,
    ...(orderId !== undefined && { orderId }),
    ...(digest !== undefined && { digest }),
    ...(allowDowngrade === true && { allowDowngrade }),
    ...(preview === true && { preview }),
    ...(retryFailed === true && { retryFailed }),
    ...(rollout !== undefined && { rollout }),
    ...(reason !== undefined && { reason }),
  };
  if (signer !== undefined) return askSigner(env, signer, 'softwareUpdate', claims);
  return signClaims('softwareUpdate', await openKey(env, sign ?? ''), claims);
}
