import { check } from '@bowline/messages';
import { TransientError, type Logger } from '@bowline/runtime';
import {
  sendTrust,
  type DeviceDirectory,
  type OrderBook,
  type ServerIdentity,
  type ServerTrust,
} from '@bowline/server-sdk';
import type { FastifyInstance } from 'fastify';
import * as validators from '../generated/bodies.js';
import { note } from './audit.ts';
import type { TrustBody } from './bodies.ts';

export interface TrustPorts {
  trust: ServerTrust;
  devices: DeviceDirectory;
  orders: OrderBook;
  identity: ServerIdentity;
  log: Logger;
}

/** The fleet's trust bundle (docs/signed-orders.md): shown, and replaced by a next one that its root keys have signed. */
export function serveTrust(http: FastifyInstance, ports: TrustPorts): void {
  const { trust, devices, orders, identity, log } = ports;

  http.get('/v1/trust', () => ({ version: trust.current.bundle.version, trust: trust.current.jws }));

  http.post('/v1/trust', async (request, reply) => {
    const { trust: next } = check<TrustBody>(validators.trust, request.body, 'body');
    const { version: before } = trust.current.bundle;
    const { version } = (await trust.publish(next)).bundle;
    note(request, { version: String(version) });
    for (const { deviceId, revokedAt } of devices.list()) {
      if (revokedAt !== undefined) continue;
      try {
        await sendTrust({ orders, trust }, { deviceId, serverEpoch: identity.serverEpoch, held: before });
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        log.warn({ deviceId, code: error.code }, 'the trust bundle waits until the device connects');
      }
    }
    return reply.status(201).send({ version });
  });
}
