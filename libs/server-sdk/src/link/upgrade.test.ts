import type { IncomingMessage } from 'node:http';
import { createKey, signLinkToken } from '@bowline/identity';
import { beforeEach, describe, expect, it } from 'vitest';
import { DEVICE, FakeServer } from '../testing/fake-link.ts';
import { RateLimiter } from './rate-limiter.ts';
import { ReplayGuard } from './replay-guard.ts';
import { refuseUpgrade, type Gate } from './upgrade.ts';

let server: FakeServer;
let gate: Gate;
let authorization: string;
beforeEach(async () => {
  server = await FakeServer.start();
  const { services, clock } = server;
  const key = await createKey();
  await services.devices.put({ ...known(), publicKey: key.publicJwk, thumbprint: key.thumbprint });
  const { serverId } = services.identity;
  authorization = `Bearer ${await signLinkToken(key, { deviceId: DEVICE, serverId, nowMs: clock.wallMs() })}`;
  const replay = new ReplayGuard(services.store, clock);
  const attempts = new RateLimiter(clock, { burst: 5, perSecond: 1 });
  gate = { services, replay, attempts, addressOf: ({ headers }) => String(headers['x-from']) };
});

function known() {
  const device = server.services.devices.get(DEVICE);
  if (device === undefined) throw new Error('no device');
  return device;
}

/** As a proxy passes it on: every caller has the proxy's connection. */
const requestFrom = (address: string, bearer: string) =>
  ({
    headers: { authorization: bearer, 'x-from': address },
    socket: { remoteAddress: '127.0.0.1' },
  }) as unknown as IncomingMessage;

/** Asks for a link, and has something happen to the device while its token is being written down as spent. */
async function upgrade(meanwhile: () => unknown = () => undefined) {
  const { replay } = gate;
  const spend = replay.spend.bind(replay);
  replay.spend = async (...token) => {
    const isFirst = await spend(...token);
    await meanwhile();
    return isFirst;
  };
  const refused = await refuseUpgrade(gate, DEVICE, requestFrom('192.0.2.1', authorization));
  return refused && [refused.status, refused.body.code];
}

describe('an upgrade', () => {
  it('when nothing happens meanwhile, the device is let in', async () => {
    expect(await upgrade()).toBeUndefined();
  });

  it('when the device is revoked meanwhile, it is not let in', async () => {
    const revoke = () => server.services.devices.put({ ...known(), revokedAt: 1 });
    expect(await upgrade(revoke)).toEqual([403, 'device-revoked']);
  });

  it('when the device gets another key meanwhile, the old one is no longer good', async () => {
    const rekey = () => server.services.devices.put({ ...known(), thumbprint: 'another' });
    expect(await upgrade(rekey)).toEqual([401, 'bad-token']);
  });

  it('when a stranger elsewhere uses up his attempts, the device behind the same proxy is let in', async () => {
    const stranger = requestFrom('198.51.100.7', 'Bearer x.y.z');
    for (let n = 0; n < 5; n += 1)
      expect(await refuseUpgrade(gate, DEVICE, stranger)).toMatchObject({ status: 401 });
    expect(await refuseUpgrade(gate, DEVICE, stranger)).toMatchObject({ status: 429 });
    expect(await upgrade()).toBeUndefined();
  });
});
