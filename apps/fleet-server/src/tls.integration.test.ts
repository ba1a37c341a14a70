import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { certificateAuthority, type Certified } from '@bowline/testing/certificates';
import { afterThisFile, needs, temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { call } from './testing/call.ts';
import { RawDevice } from './testing/raw-device.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

describe('where it listens', () => {
  it('when the address is beyond loopback, without TLS it refuses unless a flag says so', async () => {
    await expect(startTestServer({ host: '0.0.0.0' })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'insecure-listener',
      message: expect.stringContaining('tlsCert'),
    });
    const allowed = await startTestServer({ host: '0.0.0.0', allowInsecure: true });
    expect((await fetch(`${allowed.url}/v1/health`)).status).toBe(200);
    await allowed.stop();
  });

  it.each(['127.0.0.1', '127.0.0.2', '::1', 'localhost'])('when it is %s, it needs no TLS', async (host) => {
    const server = await startTestServer({ host });
    expect((await fetch(`${server.url}/v1/health`)).status).toBe(200);
    await server.stop();
  });

  it('when half of what TLS needs is named, it says what is missing', async () => {
    await expect(startTestServer({ tlsCert: '/some.pem' })).rejects.toMatchObject({ code: 'tls-incomplete' });
    await expect(startTestServer({ tlsClientCa: '/ca.pem' })).rejects.toMatchObject({
      code: 'tls-incomplete',
    });
    const broken = { tlsCert: '/nowhere.pem', tlsKey: '/nowhere.key' };
    await expect(startTestServer(broken)).rejects.toMatchObject({
      code: 'tls-unusable',
      message: expect.stringContaining('/nowhere.pem'),
    });
  });
});

describe.runIf(needs('openssl'))('over TLS', () => {
  const folder = temporaryFolder();
  const files = { tlsCert: join(folder, 'cert.pem'), tlsKey: join(folder, 'key.pem') };
  let server: TestServer;
  let authority: ReturnType<typeof certificateAuthority>;
  const install = ({ certFile, keyFile }: Certified) => {
    copyFileSync(certFile, files.tlsCert);
    copyFileSync(keyFile, files.tlsKey);
  };
  beforeAll(async () => {
    authority = certificateAuthority();
    install(authority.issue('IP:127.0.0.1'));
    server = await startTestServer({ ...files, tlsClientCa: authority.caFile, host: '0.0.0.0' });
  });

  async function device(deviceId: string): Promise<RawDevice> {
    const made = new RawDevice();
    const known = { deviceId, publicKey: made.publicKey };
    const { status } = await call(`${server.url}/v1/devices`, {
      method: 'POST',
      ca: authority.ca,
      headers: { authorization: `Bearer ${server.token}` },
      body: known,
    });
    expect(status).toBe(201);
    const answer = await call(`${server.url}/v1/enrolments`, {
      method: 'POST',
      ca: authority.ca,
      body: made.enrolment(server.url, undefined),
    });
    made.enrolled(answer.body);
    return made;
  }
  const handshake = (options: object): Promise<TLSSocket | Error> =>
    new Promise((resolve) => {
      const { hostname, port } = new URL(server.url);
      const socket: TLSSocket = connectTls(
        { host: hostname, port: Number(port), ca: authority.ca, ...options },
        () => resolve(socket),
      );
      socket.on('error', resolve);
      afterThisFile(() => void socket.destroy());
    });

  it('when a device comes by wss, its link works, and a client that trusts another authority gets none', async () => {
    const made = await device('by-wss');
    expect(made.link).toMatch(/^wss:\/\//);
    const link = await made.open({}, { tls: { ca: authority.ca } });
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
    const stranger = certificateAuthority();
    await expect(call(`${server.url}/v1/health`, { ca: stranger.ca })).rejects.toThrow(/certificate/);
  });

  it('when a client speaks no newer TLS than 1.1, there is no connection', async () => {
    const old = await handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' });
    expect(old).toBeInstanceOf(Error);
    const good = (await handshake({ maxVersion: 'TLSv1.2' })) as TLSSocket;
    expect(good.getProtocol()).toBe('TLSv1.2');
  });

  it('when a client does not go on with its handshake, it is cut off in time', async () => {
    const { certFile, keyFile } = authority.issue('IP:127.0.0.1');
    const hasty = await startTestServer({
      tlsCert: certFile,
      tlsKey: keyFile,
      http: { headersWithinMs: 300 },
    });
    const { hostname, port } = new URL(hasty.url);
    const socket = connect(Number(port), hostname).on('error', () => {});
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
    await hasty.stop();
  });

  it('when the files change, new connections see the new certificate and the open link stays', async () => {
    const made = await device('through-renewal');
    const link = await made.open({}, { tls: { ca: authority.ca } });
    const serial = async () => {
      const socket = (await handshake({})) as TLSSocket;
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    writeFileSync(files.tlsKey, 'half a key');
    await waitFor(() => server.log.some((line) => line.includes('those before stay')));
    expect(await serial()).toBe(before);
    install(authority.issue('IP:127.0.0.1'));
    await waitFor(async () => (await serial()) !== before);
    const renewed = await serial();
    install(authority.issue('IP:127.0.0.1'));
    process.emit('SIGHUP', 'SIGHUP');
    expect(await serial()).not.toBe(renewed);
    link.sample(1, 1);
    await link.receipted('telemetry', 1);
  });

  it('when the certificate names the device, no token is needed; another device’s is refused', async () => {
    const made = await device('certified');
    const { cert, key } = authority.issue('URI:urn:bowline:device:certified');
    const tls = { ca: authority.ca, cert, key };
    const link = await made.open({}, { token: null, tls });
    link.sample(1, 1);
    await link.receipted('telemetry', 1);

    const refusal = async (how: Parameters<RawDevice['connect']>[0]) => {
      const { status, body } = await made.connect(how).refused;
      return [status, body['code']];
    };
    expect(await refusal({ token: 'wrong', tls })).toEqual([401, 'bad-token']);
    const other = { ca: authority.ca, ...authority.issue('URI:urn:bowline:device:other') };
    expect(await refusal({ tls: other })).toEqual([401, 'wrong-certificate']);
    const foreign = certificateAuthority().issue('URI:urn:bowline:device:certified');
    expect(await refusal({ token: null, tls: { ca: authority.ca, ...foreign } })).toEqual([401, 'no-token']);
    const two = authority.issue('URI:urn:bowline:device:certified', 'URI:urn:bowline:device:other');
    expect(await refusal({ token: null, tls: { ca: authority.ca, ...two } })).toEqual([401, 'no-token']);
    const nested = authority.issue('DNS:x, URI:urn:bowline:device:certified');
    expect(await refusal({ token: null, tls: { ca: authority.ca, ...nested } })).toEqual([401, 'no-token']);
  });

  it('when the server requires certificates, a good token without one opens no link, and enrolling needs none', async () => {
    await expect(startTestServer({ ...files, tlsRequireClientCert: true })).rejects.toMatchObject({
      code: 'tls-incomplete',
    });
    const open = server;
    const { certFile, keyFile } = authority.issue('IP:127.0.0.1');
    server = await startTestServer({
      tlsCert: certFile,
      tlsKey: keyFile,
      tlsClientCa: authority.caFile,
      tlsRequireClientCert: true,
    });
    try {
      const made = await device('strict');
      const { status, body } = await made.connect({ tls: { ca: authority.ca } }).refused;
      expect([status, body['code']]).toEqual([401, 'certificate-needed']);
      const foreign = certificateAuthority().issue('URI:urn:bowline:device:strict');
      const refused = await made.connect({ tls: { ca: authority.ca, ...foreign } }).refused;
      expect([refused.status, refused.body['code']]).toEqual([401, 'certificate-needed']);
      const own = authority.issue('URI:urn:bowline:device:strict');
      const link = await made.open({}, { tls: { ca: authority.ca, ...own } });
      link.sample(1, 1);
      await link.receipted('telemetry', 1);
      await server.stop();
    } finally {
      server = open;
    }
  });
});
