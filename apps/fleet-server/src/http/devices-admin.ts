import { thumbprint } from '@bowline/identity';
import { check } from '@bowline/messages';
import { ContractError, RejectedError, type Clock } from '@bowline/runtime';
import type {
  DeviceAccess,
  DeviceDirectory,
  DeviceStatusBook,
  EnrolmentTokens,
  TunnelServer,
} from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import * as validators from '../generated/bodies.js';
import { note } from './audit.ts';
import type { EnrolmentTokenBody, NewDeviceBody } from './bodies.ts';

export interface DevicesAdminPorts {
  devices: DeviceDirectory;
  access: DeviceAccess;
  status: DeviceStatusBook;
  tokens: EnrolmentTokens;
  tunnels: TunnelServer;
  clock: Clock;
}

type OfDevice = { Params: { deviceId: string } };
type OfToken = { Params: { tokenId: string } };

/** Who belongs to the fleet: keys known beforehand, enrolment tokens, revocation, the end of a device (README). */
export function serveDevicesAdmin(http: FastifyInstance, ports: DevicesAdminPorts): void {
  const { devices, access, status, tokens, tunnels, clock } = ports;

  http.post('/v1/devices', async ({ body }, reply) => {
    const { deviceId, publicKey, name, groups } = check<NewDeviceBody>(validators.device, body, 'body');
    const key = await thumbprint(publicKey);
    if (devices.get(deviceId) !== undefined || devices.byKey(key) !== undefined) {
      throw new RejectedError('device-exists', 'a device of this id or with this key is known already');
    }
    await devices.put({
      deviceId,
      name: name ?? deviceId,
      groups: groups ?? [],
      publicKey,
      thumbprint: key,
      enrolledAt: clock.wallMs(),
    });
    return reply.status(201).send(status.get(deviceId));
  });

  http.post<OfDevice>('/v1/devices/:deviceId/revoke', async ({ params, caller }) => {
    await access.revoke(params.deviceId);
    await tunnels.endOf(params.deviceId, caller?.operator ?? '');
    return status.get(params.deviceId);
  });

  http.post<OfDevice>('/v1/devices/:deviceId/restore', async ({ params }) => {
    await access.restore(params.deviceId);
    return status.get(params.deviceId);
  });

  http.post<OfDevice>('/v1/devices/:deviceId/decommission', async ({ params, caller }) => {
    await access.decommission(params.deviceId);
    await tunnels.endOf(params.deviceId, caller?.operator ?? '');
    return { deviceId: params.deviceId };
  });

  http.get('/v1/enrolment-tokens', () => ({ tokens: tokens.list() }));

  http.post('/v1/enrolment-tokens', async (request, reply) => {
    const wanted = check<EnrolmentTokenBody>(validators.enrolmentToken, request.body ?? {}, 'body');
    if (wanted.deviceId !== undefined && (wanted.maxUses ?? 1) > 1) {
      throw new ContractError('invalid', 'a token for one device id has one use');
    }
    const made = await tokens.create(wanted);
    note(request, { tokenId: made.tokenId });
    return reply.status(201).send(made);
  });

  http.post<OfToken>('/v1/enrolment-tokens/:tokenId/revoke', async ({ params }) => {
    const token = await tokens.revoke(params.tokenId);
    if (token === undefined)
      throw new RejectedError('unknown-token', 'there is no enrolment token of this id');
    return token;
  });
}
