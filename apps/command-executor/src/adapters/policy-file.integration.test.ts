import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY } from '../core/policy.ts';
import { readPolicy } from './policy-file.ts';

function policyFile(content: string, mode = 0o600): string {
  const file = join(temporaryFolder(), 'policy.json');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}
const unusable = (why: string) => ({ code: 'policy-unusable', message: expect.stringContaining(why) });

describe('readPolicy', () => {
  test('when no file is configured or it is not there, the default holds', () => {
    expect(readPolicy(undefined)).toBe(DEFAULT_POLICY);
    expect(readPolicy('/nonexistent/policy.json')).toBe(DEFAULT_POLICY);
  });

  test('when the file names commands, exactly these are allowed', () => {
    const file = policyFile('{"commands":{"allow":["reboot"]},"ssh":{"users":[]}}');
    expect(readPolicy(file)).toEqual({ allow: ['reboot'], source: `policy file ${file}` });
  });

  test('when the file changes, the next reading knows', () => {
    const file = policyFile('{"commands":{"allow":["ping"]}}');
    expect(readPolicy(file)).toMatchObject({ allow: ['ping'] });
    writeFileSync(file, '{"commands":{"allow":[]}}');
    expect(readPolicy(file)).toMatchObject({ allow: [] });
  });

  test('when the file has no section for commands, the default holds', () => {
    expect(readPolicy(policyFile('{}'))).toMatchObject({ allow: DEFAULT_POLICY.allow });
  });

  test.each([
    ['is not JSON', '{', ''],
    ['has the wrong type', '{"commands":{"allow":"all"}}', 'policy/commands/allow must be array'],
    ['has a misspelt key', '{"commands":{"allow":[],"alow":["reboot"]}}', 'alow'],
    ['is too large', `{"commands":{"allow":["${'x'.repeat(70_000)}"]}}`, 'larger than'],
  ])('when the file %s, nothing is allowed and the reason is told', (_, content, why) => {
    expect(readPolicy(policyFile(content))).toEqual(unusable(why));
  });

  test('when others may write the file, nothing is allowed', () => {
    expect(readPolicy(policyFile('{"commands":{"allow":["ping"]}}', 0o666))).toEqual(
      unusable('others than its owner'),
    );
  });

  test('when a folder stands in its place, nothing is allowed', () => {
    expect(readPolicy(temporaryFolder())).toMatchObject({ code: 'policy-unusable' });
  });
});
