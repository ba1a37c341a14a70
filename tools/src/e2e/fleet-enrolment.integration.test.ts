import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { PlainServer } from './plain-server.ts';

let server: PlainServer;
let keyFile: string;
beforeAll(async () => {
  server = await PlainServer.start();
  keyFile = join(server.folder, 'key.json');
  writeFileSync(keyFile, JSON.stringify(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })));
});
const json = async (...args: string[]) => {
  const { stdout } = await server.fleet(...args, '--json');
  return JSON.parse(stdout) as Record<string, unknown>;
};

describe('bowline fleet tokens', () => {
  test('when one is made, standard output has the token and nothing else, and the list shows what it is for', async () => {
    const options = '--uses 3 --name Press --expires 2h --group hall-2 night';
    const made = await server.fleet('tokens', 'create', ...options.split(' '));
    expect(made.stdout).toMatch(/^[\w-]{32}\.[\w-]{43}\n$/);
    const [, tokenId] = /^Good for 3 devices until .* \(id ([0-9a-f]{12})\)\.$/m.exec(made.stderr) ?? [];
    const list = await server.fleet('tokens');
    expect(list.stdout).toMatch(new RegExp(`${tokenId} +any device +Press +hall-2, night +0 of 3`));
    const { tokens } = await json('tokens', 'list');
    const [{ expiresAt = 0, createdAt = 0 } = {}] = tokens as { expiresAt: number; createdAt: number }[];
    expect(expiresAt - createdAt).toBe(2 * 3600 * 1000);
    const revoked = await server.fleet('tokens', 'revoke', tokenId ?? '');
    expect([revoked.code, revoked.stdout]).toEqual([0, expect.stringContaining(`${tokenId}`)]);
    expect((await server.fleet('tokens')).stdout).toBe('No enrolment tokens.\n');
  });

  test('when the wish contradicts itself or the token is unknown, it says so', async () => {
    const both = await server.fleet('tokens', 'create', '--device', 'x', '--uses', '2');
    expect([both.code, both.stderr]).toEqual([6, expect.stringContaining('one use')]);
    expect((await server.fleet('tokens', 'create', '--expires', 'soon')).code).toBe(2);
    expect((await server.fleet('tokens', 'revoke', 'abc')).stderr).toContain('no enrolment token of this id');
  });
});

describe('bowline fleet register, revoke, restore, decommission', () => {
  test('when a device goes through its life, the list of devices says where it stands', async () => {
    expect((await server.fleet('register', 'press-7', keyFile, '--name', 'Press 7')).code).toBe(0);
    expect((await server.fleet('register', 'press-8', keyFile)).stderr).toContain('known already');
    const known = JSON.parse(readFileSync(join(server.folder, 'known-devices.json'), 'utf8')) as object;
    expect(known).toEqual({ [server.url]: { 'press-7': JSON.parse(readFileSync(keyFile, 'utf8')) } });
    expect((await server.fleet('devices')).stdout).toMatch(/press-7 +Press 7 +offline/);
    expect((await server.fleet('revoke', 'press-7')).stdout).toContain('press-7 is revoked');
    expect((await server.fleet('devices')).stdout).toMatch(/press-7 +Press 7 +revoked/);
    expect((await server.fleet('restore', 'press-7')).stdout).toContain('may connect again');
    expect((await server.fleet('devices')).stdout).toMatch(/press-7 +Press 7 +offline/);

    const asked = await server.fleet('decommission', 'press-7');
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--yes')]);
    expect(asked.stderr).toContain('all that it ever sent');
    expect(await json('devices')).toMatchObject({ devices: [{ deviceId: 'press-7' }] });
    expect((await server.fleet('decommission', 'press-7', '--yes')).code).toBe(0);
    expect(await json('devices')).toEqual({ devices: [] });
  });

  test('when what was typed is wrong, it says what was likely meant', async () => {
    await server.fleet('register', 'press-9', keyFile);
    const { code, stderr } = await server.fleet('revoke', 'pres-9');
    expect([code, stderr]).toEqual([2, expect.stringContaining('Did you mean press-9?')]);
    const none = await server.fleet('register', 'x', join(server.folder, 'nothing.json'));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('bowline identity')]);
  });
});
