import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { redact } from './redact.ts';

const PEM = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const JWS = 'eyJhbGciOiJFZERTQSJ9.eyJvcmRlcklkIjoiMSJ9.c2lnbmF0dXJl';

const ENROLMENT_TOKEN = `${'s'.repeat(32)}.${'t'.repeat(43)}`;
const OPERATOR_TOKEN = `bop_${'i'.repeat(12)}.${'s'.repeat(43)}`;
const TUNNEL_TOKEN = `btn_-${'s'.repeat(42)}`;

describe('redact', () => {
  it('when a member has the name of a secret, at any depth and in any spelling, its value is gone', () => {
    const value = {
      a: [{ b: { c: { d: 's3cret', next_token: 's3cret' } } }],
      Authorization: 's3cret',
      'set-cookie': ['s3cret'],
      privateKey: { x: 's3cret' },
      accessToken: 's3cret',
      'client-secret': 's3cret',
      session_token: 's3cret',
      csrfToken: 's3cret',
      DB_PASSWORD: 's3cret',
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
    [
      `COMMAND=/usr/bin/bowline enroll wss://h --token ${ENROLMENT_TOKEN}`,
      'COMMAND=/usr/bin/bowline enroll wss://h --token [redacted]',
    ],
    ['x --token  s3cret --operator-token "s3 cret" y', 'x --token  [redacted] --operator-token [redacted] y'],
    ['mysql -password s3cret', 'mysql -password [redacted]'],
    ['["enroll","--token","s3cret"]', '["enroll","--token",[redacted]]'],
    ["DB_PASSWORD='s3 cret' run", 'DB_PASSWORD=[redacted] run'],
    [`spent ${ENROLMENT_TOKEN}: gone`, 'spent [redacted]: gone'],
    [`who is ${OPERATOR_TOKEN}?`, 'who is [redacted]?'],
    [`(${TUNNEL_TOKEN})`, '([redacted])'],
    [
      'body {"password":"s3\\"cret", "clientSecret" : "s3cret","d":"s3cret","n":1}',
      'body {"password":"[redacted]", "clientSecret" : "[redacted]","d":"[redacted]","n":1}',
    ],
    [String.raw`"{\"token\":\"s3\\\"cret\",\"n\":1}"`, String.raw`"{\"token\":\"[redacted]\",\"n\":1}"`],
    ['cut off: {"password":"s3cre', 'cut off: {"password":"[redacted]"'],
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
      tokenFile: '/etc/token',
      texts: [
        '--token-file /etc/token --thumbprint x',
        `key ${'t'.repeat(43)}, token: spent`,
        '{"tokenId":"i","id":"d"}',
      ],
    };
    expect(redact(value)).toEqual(value);
  });

  it.each(['a-', '"a', '\\\\"', '\\', '-token', '"token":"', 'x.'])(
    'when a text repeats %j without end, the work grows with its length only',
    (part) => {
      const cpuMs = (length: number) => {
        const before = process.cpuUsage();
        redact(part.repeat(length));
        const { user, system } = process.cpuUsage(before);
        return (user + system) / 1000;
      };
      cpuMs(1000);
      // Ten times the text, with room for a loaded machine: what grows with the square takes a hundred times as long.
      expect(cpuMs(50_000)).toBeLessThan(40 * Math.max(cpuMs(5000), 5));
    },
  );

  it('when it is nested without end, what lies deepest is left out and it returns', () => {
    const nested = JSON.parse(`${'['.repeat(5000)}"s3cret"${']'.repeat(5000)}`) as unknown;
    expect(JSON.stringify(redact(nested))).not.toContain('s3cret');
  });
});
