import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterThisFile, needs } from '@bowline/testing';
import {
  certificateAuthority,
  type CertificateAuthority,
  type Certified,
} from '@bowline/testing/certificates';
import { beforeAll, describe, expect, test } from 'vitest';
import { BareDevice } from './bare-device.ts';
import { PlainServer } from './plain-server.ts';

const ANY_TOKEN = `${'x'.repeat(32)}.${'y'.repeat(43)}`;

describe.runIf(needs('openssl'))('a link over TLS', () => {
  let authority: CertificateAuthority;
  let own: Certified;
  let server: PlainServer;
  const serverWith = ({ certFile, keyFile }: Certified, more: object = {}) =>
    PlainServer.start({ tlsCert: certFile, tlsKey: keyFile, ...more }, { caFile: authority.caFile });
  beforeAll(async () => {
    authority = certificateAuthority();
    own = authority.issue('IP:127.0.0.1');
    server = await serverWith(own, {
      tlsClientCa: authority.caFile,
      enrolment: { caFile: authority.caFile },
    });
  });
  const device = (link: object, token?: string) =>
    new BareDevice({ url: server.url, ...(token === undefined ? {} : { token }) }, { link });
  /** What `bowline enroll` says when it does not come to that. */
  const refusal = async (url: string, link: object, env: Record<string, string> = {}) => {
    const stranger = new BareDevice({}, { link });
    stranger.startGateway({ env });
    const { code, stderr } = await stranger.bowline('enroll', '--server', url, '--token', ANY_TOKEN);
    expect(code).toBe(2);
    await stranger.killGateway();
    return stderr;
  };

  test('when the authority of the server is pinned, the device enrols and connects, and takes the pin that it is told from then on', async () => {
    const link = { allowInsecure: false, caFile: authority.caFile };
    const pinned = device(link, await server.token('--device', 'pinned'));
    pinned.startGateway();
    expect((await pinned.untilOnline()).link.server).toMatch(/^wss:/);
    expect((await pinned.bowline('status')).stdout).not.toContain('not encrypted');

    await pinned.killGateway();
    pinned.configure({ allowInsecure: false });
    pinned.startGateway();
    await pinned.untilOnline();
  });

  test('when nothing makes the authority known, the server is refused, whatever the environment says', async () => {
    const unverified = /unable to verify|self-signed/i;
    expect(await refusal(server.url, {})).toMatch(unverified);
    expect(await refusal(server.url, {}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toMatch(unverified);
    const other = certificateAuthority();
    expect(await refusal(server.url, { caFile: other.caFile })).toMatch(unverified);
  });

  test('when the certificate is for another host, the server is refused', async () => {
    const elsewhere = await serverWith(authority.issue('DNS:fleet.example'));
    expect(await refusal(elsewhere.url, { caFile: authority.caFile })).toMatch(/does not match certificate/);
  });

  test('when the server speaks nothing newer than TLS 1.1, it is refused', async () => {
    const old = createServer({
      cert: own.cert,
      key: own.key,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    old.on('tlsClientError', () => undefined);
    old.listen(0, '127.0.0.1');
    await once(old, 'listening');
    afterThisFile(() => void old.close());
    const url = `https://127.0.0.1:${(old.address() as AddressInfo).port}`;
    expect(await refusal(url, { caFile: authority.caFile })).toMatch(/protocol version/i);
  });

  test('when a file for TLS is no good, it says which', async () => {
    expect(await refusal(server.url, { caFile: '/nowhere.pem' })).toMatch(/link\.caFile: \/nowhere\.pem/i);
    const half = await refusal(server.url, { clientCertFile: own.certFile });
    expect(half).toContain('link.clientKeyFile');
    const mixed = { clientCertFile: own.certFile, clientKeyFile: authority.issue('DNS:x').keyFile };
    expect(await refusal(server.url, mixed)).toContain('no certificate and its key');
  });

  test('when the device has a client certificate of its own it is let in, with that of another it is not, until the file is mended', async () => {
    const caFile = authority.caFile;
    const good = authority.issue('URI:urn:bowline:device:certified');
    const wrong = authority.issue('URI:urn:bowline:device:another');
    const certified = device({}, await server.token('--device', 'certified'));
    const clientCertFile = join(certified.folder, 'client.pem');
    const clientKeyFile = join(certified.folder, 'client.key');
    const install = ({ cert, key }: Certified) => {
      writeFileSync(clientCertFile, cert);
      writeFileSync(clientKeyFile, key, { mode: 0o600 });
    };
    install(wrong);
    certified.configure({ caFile, clientCertFile, clientKeyFile, backoffCapMs: 100 });
    certified.startGateway();
    const { link } = await certified.untilOffline('wrong-certificate');
    expect(link.lastError).toMatchObject({ stage: 'auth', message: expect.stringContaining('another') });
    install(good);
    await certified.killGateway(); // a refused proof is tried again after minutes only
    certified.startGateway();
    await certified.untilOnline();
    expect(readFileSync(clientCertFile, 'utf8')).toBe(good.cert);
  });
});

test('when plain HTTP is not allowed by name, nothing is sent; when it is, the device complains aloud', async () => {
  const server = await PlainServer.start();
  const careful = new BareDevice(
    { url: server.url, token: await server.token() },
    { link: { allowInsecure: false } },
  );
  careful.startGateway();
  await careful.untilOffline('insecure-url');
  careful.configure({ allowInsecure: true });
  await careful.killGateway();
  const gateway = careful.startGateway();
  await careful.untilOnline();
  const complaints = gateway.stdout().match(/"level":"warn".*NOT ENCRYPTED/g);
  expect(complaints?.length).toBeGreaterThanOrEqual(2); // at the enrolment and at the link
  expect((await careful.bowline('status')).stdout).toContain('not encrypted');
});
