import { isDeepStrictEqual } from 'node:util';
import { thumbprint, verifyEnrolmentProof } from '@bowline/identity';
import {
  check,
  type EnrolmentProof,
  type EnrolmentRequest,
  type EnrolmentResponse,
  type TrustBundleJws,
} from '@bowline/messages';
import { enrolmentRequest } from '@bowline/messages/http';
import { ContractError, RejectedError } from '@bowline/runtime/errors';
import type { Clock } from '@bowline/runtime/clock';
import type { DeviceDirectory, DeviceRecord } from '../devices/device-directory.ts';
import { refusal, type Refusal } from '../problem.ts';
import type { ServerIdentity } from '../server-identity.ts';
import type { EnrolmentTokens, LiveToken } from './enrolment-tokens.ts';

export interface EnrolmentPorts {
  devices: DeviceDirectory;
  tokens: EnrolmentTokens;
  identity: ServerIdentity;
  clock: Clock;
  /** The current bundle, which the root key of the tokens' thumbprint signed. */
  trust: () => TrustBundleJws;
  /** PEM of the authority that devices are to trust for TLS, and no other. */
  ca?: string;
  /** A known device has a new key: a link by the old one must end. */
  onRekeyed: (deviceId: string) => void;
}

/** Length of an id that we make up, from the key's thumbprint. */
const ID_CHARACTERS = 12;

/** Answers `POST /v1/enrolments` (protocol, section 7). */
export class Enrolment {
  readonly #ports: EnrolmentPorts;

  constructor(ports: EnrolmentPorts) {
    this.#ports = ports;
  }

  /**
   * @param origin the server's own, as the proof must name it.
   * @param beforeEffect called once everything is checked, before the first write; not if there is nothing to write.
   */
  async enrol(
    body: unknown,
    origin: string,
    beforeEffect: (deviceId: string) => void = () => undefined,
  ): Promise<EnrolmentResponse | Refusal> {
    const { clock } = this.#ports;
    let request: EnrolmentRequest;
    try {
      request = check<EnrolmentRequest>(enrolmentRequest, body, 'body');
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      return refusal(400, error.code, error.message);
    }
    const { publicKey, token, device } = request;
    try {
      const proof = await verifyEnrolmentProof(request.proof, { publicKey, origin, nowMs: clock.wallMs() });
      if (!provesRequest(proof, request))
        throw new RejectedError('bad-proof', 'the proof is of another request');
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      return refusal(401, error.code, error.message, { serverTime: clock.wallMs() });
    }
    const key = await thumbprint(publicKey);
    const known = this.#ports.devices.byKey(key);
    // From here to the writes nothing is awaited: two requests cannot share one use.
    if (token === undefined) {
      if (known === undefined) return refusal(403, 'unknown-key', 'an unknown key needs an enrolment token');
      return isRevoked(known) ?? this.#answer(known, origin);
    }
    const { tokens, devices } = this.#ports;
    const live = tokens.find(token);
    if (live === undefined) return refusal(410, 'token-gone', 'the token is unknown, spent or expired');
    if (tokens.wasUsedBy(live, key)) {
      if (known === undefined)
        return refusal(410, 'token-gone', 'the device of this token has another key by now');
      return isRevoked(known) ?? this.#answer(known, origin);
    }
    if (live.record.uses >= live.record.maxUses) {
      return live.record.maxUses === 1
        ? refusal(409, 'token-used', 'another key has used this one-time token')
        : refusal(410, 'token-gone', 'the token is spent');
    }
    if (known !== undefined && live.record.deviceId !== undefined && live.record.deviceId !== known.deviceId)
      return refusal(409, 'key-in-use', `the key belongs to ${known.deviceId} already`);
    const enrolled = this.#record(live.record, key, known, request);
    const before = devices.get(enrolled.deviceId);
    // The id was made from this key, and the device has another one by now: only a token for the device gives it back.
    if (before !== undefined && known === undefined && live.record.deviceId === undefined)
      return refusal(409, 'key-in-use', `${before.deviceId} has another key by now`);
    const revoked = before && isRevoked(before, live);
    if (revoked !== undefined) return revoked;
    beforeEffect(enrolled.deviceId);
    tokens.use(live, key);
    await devices.put({ ...enrolled, about: device });
    if (before !== undefined && known === undefined) this.#ports.onRekeyed(enrolled.deviceId);
    return this.#answer(enrolled, origin);
  }

  #record(
    token: LiveToken['record'],
    key: string,
    known: DeviceRecord | undefined,
    { publicKey }: EnrolmentRequest,
  ): DeviceRecord {
    const deviceId = token.deviceId ?? known?.deviceId ?? `dev-${key.slice(0, ID_CHARACTERS)}`;
    return {
      deviceId,
      name: token.name ?? known?.name ?? deviceId,
      groups: token.groups,
      publicKey,
      thumbprint: key,
      enrolledAt: this.#ports.clock.wallMs(),
    };
  }

  #answer({ deviceId, name, groups }: DeviceRecord, origin: string): EnrolmentResponse {
    const { identity, clock, trust, ca } = this.#ports;
    const link = `${origin.replace(/^http/, 'ws')}/v1/devices/${deviceId}/link`;
    return {
      deviceId,
      name,
      groups,
      serverId: identity.serverId,
      link,
      trust: trust(),
      ...(ca === undefined ? {} : { ca }),
      serverTime: clock.wallMs(),
    };
  }
}

const provesRequest = (proof: EnrolmentProof, { token, device }: EnrolmentRequest): boolean =>
  proof.token === token && isDeepStrictEqual(proof.device, device);

/** A revoked device stays out; only a token that an operator has made for it since then lets it in again. */
function isRevoked({ deviceId, revokedAt }: DeviceRecord, token?: LiveToken): Refusal | undefined {
  if (revokedAt === undefined) return undefined;
  if (token?.record.deviceId === deviceId && token.record.createdAt >= revokedAt) return undefined;
  return refusal(403, 'device-revoked', 'the device was revoked');
}
