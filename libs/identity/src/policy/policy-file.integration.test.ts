import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PolicyFile } from './policy-file.ts';
import { DEFAULT_POLICY, isAllowed } from './policy.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bl-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function policyFile(content: string, mode = 0o600): string {
  const own = join(folder, String((count += 1)));
  mkdirSync(own, { mode: 0o700 });
  const file = join(own, 'policy.json');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}
const WIDE = '{"commands":{"reboot":{}}}';
const heldIn = (file: string | undefined) => new PolicyFile(file).current();

describe('PolicyFile', () => {
  test('when no file is configured or it is not there, the default holds', async () => {
    expect(await heldIn(undefined)).toBe(DEFAULT_POLICY);
    expect(await heldIn('/nonexistent/policy.json')).toBe(DEFAULT_POLICY);
  });

  test('when the file changes, the next reading knows, whether it gets better or worse', async () => {
    const file = policyFile(WIDE);
    const policies = new PolicyFile(file);
    expect(isAllowed(await policies.current(), 'reboot')).toBe(true);
    writeFileSync(file, '{"commands":{"ping":{}}}');
    expect(isAllowed(await policies.current(), 'reboot')).toBe(false);
    writeFileSync(file, '{');
    expect(await policies.current()).toMatchObject({
      policy: DEFAULT_POLICY.policy,
      fault: expect.stringContaining('JSON'),
    });
    writeFileSync(file, WIDE);
    expect(isAllowed(await policies.current(), 'reboot')).toBe(true);
  });

  test.each([
    ['is not JSON', '{', 0o600, 'not JSON'],
    ['is too large', `{"commands":{"${'x'.repeat(70_000)}":{}}}`, 0o600, 'larger than'],
    ['may be written by all', WIDE, 0o606, 'others than its owner'],
    ['may be written by its group', WIDE, 0o660, 'others than its owner'],
  ])('when the file %s, the default holds and the fault is told', async (_, content, mode, why) => {
    const policy = await heldIn(policyFile(content, mode));
    expect(policy).toMatchObject({ policy: DEFAULT_POLICY.policy, fault: expect.stringContaining(why) });
  });

  test('when others may exchange the file in its folder, the default holds', async () => {
    const file = policyFile(WIDE);
    chmodSync(join(file, '..'), 0o777);
    expect(await heldIn(file)).toMatchObject({ fault: expect.stringContaining('its folder') });
  });

  test.runIf(process.getuid?.() === 0)(
    'when its folder is sticky, others may write there, but it must be of root or of us all the same',
    async () => {
      const file = policyFile(WIDE);
      chmodSync(join(file, '..'), 0o1777);
      expect(isAllowed(await heldIn(file), 'reboot')).toBe(true);
      chownSync(join(file, '..'), 12_345, 12_345);
      expect(await heldIn(file)).toMatchObject({
        policy: DEFAULT_POLICY.policy,
        fault: expect.stringContaining('its folder: it belongs to user 12345'),
      });
    },
  );

  test.each<[string, (file: string) => void, string]>([
    ['a pipe', (file) => execFileSync('mkfifo', ['-m', '600', file]), 'not a file'],
    ['a link to a good file', (file) => symlinkSync(policyFile(WIDE), file), 'it is a link'],
    ['a link to nothing', (file) => symlinkSync('/nonexistent/policy.json', file), 'it is a link'],
  ])('when %s stands in its place, the default holds and nothing waits for it', async (_, make, why) => {
    const file = policyFile('');
    rmSync(file);
    make(file);
    expect(await heldIn(file)).toMatchObject({
      policy: DEFAULT_POLICY.policy,
      fault: expect.stringContaining(why),
    });
  });

  test('when a folder stands in its place, the default holds', async () => {
    expect(await heldIn(folder)).toMatchObject({ fault: expect.stringContaining('not a file') });
  });

  test.runIf(process.getuid?.() === 0)(
    'when the file belongs to another user, the default holds',
    async () => {
      const file = policyFile(WIDE);
      chownSync(file, 12_345, 12_345);
      expect(await heldIn(file)).toMatchObject({ fault: expect.stringContaining('belongs to user 12345') });
    },
  );
});
