import { describe, expect, test } from 'vitest';
import type { ReleaseManifest } from '../manifest-schema.ts';
import { judgeRelease, namedBy, trustedTime } from './judge-release.ts';

const digest = 'd'.repeat(64);
const order = (change = {}) =>
  namedBy({ aud: 'd1', jti: 'j', exp: 1, channel: 'stable', name: 'kiosk', version: '2.0.0', ...change });
const release = (change: Partial<ReleaseManifest> = {}) => ({
  digest,
  manifest: {
    format: 1,
    kind: 'app',
    name: 'kiosk',
    version: '2.0.0',
    channel: 'stable',
    files: [],
    ...change,
  } satisfies ReleaseManifest,
});
const installed = (version: string, minSecureVersion?: string) => ({
  version,
  trees: [],
  ...(minSecureVersion !== undefined && { minSecureVersion }),
});
const code = (name: string) => expect.objectContaining({ name: 'RejectedError', code: name });

describe('judgeRelease', () => {
  test('when order and release agree and it is newer or the same, it may be installed', () => {
    judgeRelease(order({ digest }), release(), undefined);
    judgeRelease(order(), release(), installed('1.10.0'));
    judgeRelease(order(), release(), installed('2.0.0', '2.0.0'));
    judgeRelease(order(), release(), installed('2.0.0-rc.1'));
  });

  test('when they differ in name, version, channel or content, it is refused', () => {
    for (const change of [
      { name: 'other' },
      { version: '2.0.1' },
      { channel: 'beta' },
      { digest: 'e'.repeat(64) },
    ])
      expect(() => judgeRelease(order(change), release(), undefined)).toThrow(code('release-differs'));
  });

  test('when it is a downgrade, both must allow it', () => {
    const newer = installed('2.0.1');
    const allowed = { allowDowngrade: true };
    const refused = code('downgrade-refused');
    expect(() => judgeRelease(order(), release(), newer)).toThrow(refused);
    expect(() => judgeRelease(order(allowed), release(), newer)).toThrow(refused);
    expect(() => judgeRelease(order(), release(allowed), newer)).toThrow(refused);
    judgeRelease(order(allowed), release(allowed), newer);
  });

  test('when it is older than what is secure, nothing allows it', () => {
    const allowed = { allowDowngrade: true };
    expect(() => judgeRelease(order(allowed), release(allowed), installed('3.0.0', '2.0.1'))).toThrow(
      code('version-insecure'),
    );
  });

  test('when the order names no release, it is refused', () => {
    expect(() => order({ name: undefined })).toThrow(code('order-names-nothing'));
    expect(() => order({ version: undefined })).toThrow(code('order-names-nothing'));
  });
});

describe('trustedTime', () => {
  test('when the server was heard, its time counts, else the own clock, if it can be right', () => {
    expect(trustedTime({ serverMs: 2000, wallMs: 9000, notBeforeMs: 1000 })).toBe(2000);
    expect(trustedTime({ serverMs: undefined, wallMs: 9000, notBeforeMs: 1000 })).toBe(9000);
    for (const serverMs of [undefined, 500])
      expect(() => trustedTime({ serverMs, wallMs: 10, notBeforeMs: 1000 })).toThrow(
        expect.objectContaining({ name: 'TransientError', code: 'no-trusted-time' }),
      );
  });
});
