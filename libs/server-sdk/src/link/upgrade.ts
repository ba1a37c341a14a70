import type { IncomingMessage } from 'node:http';
import { verifyLinkToken } from '@bowline/identity';
import { RejectedError } from '@bowline/runtime/errors';
import type { DeviceRecord } from '../devices/device-directory.ts';
import { refusal, type Refusal } from '../problem.ts';
import { certifiedDevice } from './client-certificate.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { ReplayGuard } from './replay-guard.ts';
import type { LinkServices } from './services.ts';

export const SUBPROTOCOL = 'bowline.v1';

const LINK_PATH = /^\/v1\/devices\/([A-Za-z0-9._-]{1,64})\/link$/;
const BEARER = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i;

/** The device that a URL names, or undefined if it is none of a link. */
export const linkedDevice = (url: string): string | undefined => LINK_PATH.exec(url.split('?')[0] ?? '')?.[1];

export interface Gate {
  services: LinkServices;
  replay: ReplayGuard;
  /** By device and address: a stranger must not use up a device's attempts. */
  attempts: RateLimiter;
  /** Where a call comes from: behind a proxy that is not where its connection does. */
  addressOf: (request: IncomingMessage) => string;
  /** A link needs a client certificate that names the device, whatever token there is. */
  requireCertificate?: boolean;
}

/** Who may open a link (protocol, section 1). @returns undefined if the caller may. */
export async function refuseUpgrade(
  { services, replay, attempts, addressOf, requireCertificate = false }: Gate,
  deviceId: string,
  request: IncomingMessage,
): Promise<Refusal | undefined> {
  const { headers, socket } = request;
  const { devices, identity, clock } = services;
  const serverTime = clock.wallMs();
  const device = devices.get(deviceId);
  if (device === undefined) return unknown();
  if (device.revokedAt !== undefined) return revoked();
  const retryAfterMs = attempts.take(`${deviceId} ${addressOf(request)}`);
  if (retryAfterMs > 0) return refusal(429, 'too-many-requests', 'too many attempts', { retryAfterMs });
  const certified = certifiedDevice(socket);
  if (certified !== undefined && certified !== deviceId)
    return refusal(401, 'wrong-certificate', `the certificate is that of ${certified}`, { serverTime });
  if (certified === undefined && requireCertificate)
    return refusal(401, 'certificate-needed', 'this server wants a client certificate of the device', {
      serverTime,
    });
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token === undefined) {
    if (certified !== undefined && headers.authorization === undefined) return undefined;
    return refusal(401, 'no-token', 'the request needs Authorization: Bearer JWT', { serverTime });
  }
  try {
    const { jti, exp } = await verifyLinkToken(token, {
      deviceId,
      serverId: identity.serverId,
      publicKey: device.publicKey,
      nowMs: serverTime,
    });
    if (!(await replay.spend(deviceId, jti, exp)))
      return refusal(401, 'token-replayed', 'the token was used before', { serverTime });
  } catch (error) {
    if (!(error instanceof RejectedError)) throw error;
    return refusal(401, error.code, error.message, { serverTime });
  }
  return changedSince(device, devices.get(deviceId), serverTime);
}

/** While the token was written down as spent, the device may have been revoked or have got another key. */
function changedSince(
  before: DeviceRecord,
  now: DeviceRecord | undefined,
  serverTime: number,
): Refusal | undefined {
  if (now === undefined) return unknown();
  if (now.revokedAt !== undefined) return revoked();
  if (now.thumbprint === before.thumbprint) return undefined;
  return refusal(401, 'bad-token', 'the device has another key by now', { serverTime });
}

const unknown = () => refusal(403, 'unknown-device', 'this server does not know the device');
const revoked = () => refusal(403, 'device-revoked', 'the device was revoked');
