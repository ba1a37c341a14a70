import { check, type NewSshSession, type SshSession } from '@bowline/messages';
import { RejectedError } from '@bowline/runtime';
import type { DeviceDirectory, TunnelRecord, TunnelServer, TunnelSessions } from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import * as validators from '../generated/bodies.js';
import { note } from './audit.ts';
import type { SshSessionBody } from './bodies.ts';

export interface SshSessionsPorts {
  devices: DeviceDirectory;
  tunnelSessions: TunnelSessions;
  tunnels: TunnelServer;
  /** Origins by which devices may know this server; the first is the preferred one. */
  origins: () => readonly string[];
}

/** Sessions at the relay: made here, granted elsewhere (the grant is signed by a key that this server does not hold). */
export function serveSshSessions(http: FastifyInstance, ports: SshSessionsPorts): void {
  const { devices, tunnelSessions, tunnels, origins } = ports;

  const told = (record: TunnelRecord): SshSession => {
    const { deviceToken: _1, nextToken: _2, operatorToken: _3, ended: _4, ...open } = record;
    const { sessionId } = record;
    return { ...open, ready: tunnels.isReady(sessionId), openStreams: tunnels.openStreams(sessionId) };
  };

  http.get('/v1/ssh-sessions', () => ({ sessions: tunnelSessions.live().map(told) }));

  http.post<{ Params: { deviceId: string } }>(
    '/v1/devices/:deviceId/ssh-sessions',
    async (request, reply) => {
      const {
        expiresInMs,
        streams = 1,
        user,
        reason,
      } = check<SshSessionBody>(validators.sshSession, request.body, 'body');
      const device = devices.get(request.params.deviceId);
      if (device === undefined)
        throw new RejectedError('unknown-device', 'this server does not know the device');
      if (device.revokedAt !== undefined)
        throw new RejectedError('device-revoked', 'the device is revoked: it cannot be reached');
      const { record, deviceToken, operatorToken } = await tunnelSessions.create({
        deviceId: device.deviceId,
        operator: request.caller?.operator ?? '',
        expiresInMs,
        streams,
        ...(user === undefined ? {} : { user }),
        ...(reason === undefined ? {} : { reason }),
      });
      const { sessionId } = record;
      note(request, { sessionId, ...(user === undefined ? {} : { user }) });
      const base = `${(origins()[0] ?? '').replace(/^http/, 'ws')}/v1/tunnels/${sessionId}`;
      const made: NewSshSession = {
        ...told(record),
        tunnelUrl: `${base}/device`,
        deviceToken,
        operatorUrl: `${base}/operator`,
        operatorToken,
        deviceKey: device.publicKey,
      };
      return reply.status(201).send(made);
    },
  );

  http.post<{ Params: { sessionId: string } }>('/v1/ssh-sessions/:sessionId/end', async (request, reply) => {
    const { sessionId } = request.params;
    const record = tunnelSessions.get(sessionId);
    if (record === undefined || !tunnelSessions.isLive(sessionId))
      throw new RejectedError('unknown-session', 'there is no such session, or it has ended');
    note(request, { deviceId: record.deviceId });
    const session = told(record);
    await tunnels.end(sessionId, request.caller?.operator ?? '');
    return reply.send(session);
  });
}
