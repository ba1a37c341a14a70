import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { redact } from './redact.ts';

const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const JWS = 'eyJhbGciOiJFZERTQSJ9.eyJvcmRlcklkIjoiMSJ9.c2lnbmF0dXJl';

describe('redact', () => {
  it('when a member has the name of a secret, at any depth and in any spelling, its value is gone', () => {
    const value = {
      a: [{ b: { c: { d: 's3cret', next_token: 's3cret' } } }],
      Authorization: 's3cret',
      'set-cookie': ['s3cret'],
      privateKey: { x: 's3cret' },
      kept: 1,
    };
    const clean = redact(value);
    expect(JSON.stringify(clean)).not.toContain('s3cret');
    expect(clean).toMatchObject({ a: [{ b: { c: { d: '[redacted]' } } }], kept: 1 });
    expect(value.Authorization).toBe('s3cret');
  });

  it.each([
    [`cannot use ${PEM} here`, 'cannot use [redacted]\n here'],
    [`401 for ${JWS}: expired`, '401 for [redacted]: expired'],
    ['Authorization: Bearer abc.def-1_2', 'Authorization: Bearer [redacted]'],
    ['fetch https://joe:s3cret@host/x failed', 'fetch https://joe:[redacted]@host/x failed'],
    ['GET /stream?token=s3cret&x=1', 'GET /stream?token=[redacted]&x=1'],
    ['bowline enroll --token=s3cret', 'bowline enroll --token=[redacted]'],
  ])('when a text holds a secret (%#), only that part is gone', (text, clean) => {
    expect(redact({ list: [text] })).toEqual({ list: [clean] });
  });

  it('when nothing is secret, the value comes back equal', () => {
    const value = {
      orderId: 'o',
      n: 0,
      none: null,
      list: ['wss://host:7400/v1', true],
      key: 'eyJ',
      token: null,
    };
    expect(redact(value)).toEqual(value);
  });

  it('when it is nested without end, what lies deepest is left out and it returns', () => {
    const nested = JSON.parse(`${'['.repeat(5000)}"s3cret"${']'.repeat(5000)}`) as unknown;
    expect(JSON.stringify(redact(nested))).not.toContain('s3cret');
  });
});
