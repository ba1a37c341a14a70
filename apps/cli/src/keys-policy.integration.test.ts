import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { bowline } from './testing/run-bowline.ts';

const folderEnv = () => {
  const folder = temporaryFolder();
  return { folder, env: { BOWLINE_KEYS: join(folder, 'keys') } };
};

describe('bowline keys', () => {
  test('when a key is made, only its owner can read it, and its public half is shown', async () => {
    const { folder, env } = folderEnv();
    expect((await bowline(['keys', 'new', 'ops'], { env })).code).toBe(0);
    const file = join(folder, 'keys/ops.pem');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { stdout } = await bowline(['keys', 'show', 'ops'], { env });
    expect(JSON.parse(stdout)).toMatchObject({ name: 'ops', jwk: { kty: 'OKP', crv: 'Ed25519' } });
    expect(stdout).not.toContain('"d"');
    expect(await bowline(['keys', 'new', 'ops'], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds a key already'),
    });
    const wrong = await bowline(['keys', 'show', 'osp'], { env });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean ops?') });
    chmodSync(file, 0o644);
    expect((await bowline(['keys', 'show', 'ops'], { env })).stderr).toContain('chmod 600');
  });

  test('when a key has a passphrase, it is needed', async () => {
    const { folder, env } = folderEnv();
    const secret = { ...env, BOWLINE_PASSPHRASE: 'correct horse' };
    await bowline(['keys', 'new', 'ops', '--passphrase'], { env: secret });
    expect(readFileSync(join(folder, 'keys/ops.pem'), 'utf8')).toContain('ENCRYPTED');
    expect((await bowline(['keys', 'show', 'ops'], { env: secret })).code).toBe(0);
    const wrong = { ...env, BOWLINE_PASSPHRASE: 'wrong' };
    expect((await bowline(['keys', 'show', 'ops'], { env: wrong })).stderr).toContain('does not open');
    expect((await bowline(['keys', 'show', 'ops'], { env })).stderr).toContain('BOWLINE_PASSPHRASE');
  });
});

describe('bowline policy', () => {
  test('when a policy is checked, it says whether it can be used and what to mend', async () => {
    const file = join(temporaryFolder(), 'policy.json');
    writeFileSync(file, '{"commands":{"ping":{"signed":true}}}', { mode: 0o600 });
    expect(await bowline(['policy', 'check', file])).toMatchObject({ code: 0 });
    expect((await bowline(['policy', 'show', file])).stdout).toContain('command ping, signed');
    writeFileSync(file, '{"commands":{"ping":{"singed":true}}}');
    expect(await bowline(['policy', 'check', file])).toMatchObject({
      code: 20,
      stderr: expect.stringContaining('did you mean "signed"?'),
    });
    const shown = await bowline(['policy', 'show', file]);
    expect(shown.stdout).toContain('built-in default policy');
    expect(shown.stdout).toContain('did you mean');
  });
});

describe('bowline fleet trust', () => {
  test('when the first bundle needs two root keys, it takes both signatures', async () => {
    const { folder, env } = folderEnv();
    for (const name of ['a', 'b']) await bowline(['keys', 'new', name], { env });
    const init = ['fleet', 'trust', 'init', 'a', 'b', '--threshold', '2', '--draft', 'trust.json'];
    const run = (...args: string[]) => bowline(args, { cwd: folder, env });
    expect((await run(...init, '--sign', 'a')).code).toBe(0);
    const signers = async () =>
      (
        JSON.parse((await run('fleet', 'trust', 'show', 'trust.json', '--json')).stdout) as {
          signers: string[];
        }
      ).signers.length;
    expect(await signers()).toBe(1);
    await run('fleet', 'trust', 'sign', 'trust.json', 'a');
    expect(await signers()).toBe(1);
    await run('fleet', 'trust', 'sign', 'trust.json', 'b');
    expect(await signers()).toBe(2);
    const tooMany = await run(...init.map((arg) => (arg === '2' ? '3' : arg)));
    expect(tooMany).toMatchObject({ code: 2, stderr: expect.stringContaining('threshold') });
  });
});
