import { join } from 'node:path';
import { verifyClaims } from '@bowline/identity';
import type { TrustBundle } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { fakeServer, ORDER_ID } from './testing/fake-server.ts';
import { bowline } from './testing/run-bowline.ts';

const UPDATE = ['fleet', 'update', 'demo', 'kiosk', '1.2.0', '--sign', 'build', '--digest', 'a'.repeat(64)];

describe('bowline fleet update', () => {
  test('when it fails, the reason is followed by what the program wrote last, and by how the device stands; never as terminal codes', async () => {
    const server = await fakeServer();
    Object.assign(server, {
      type: 'softwareUpdate',
      steps: ['received', 'started', 'failed'],
      error: { code: 'boot-loop', message: 'rolled back: its process was restarted 3 times' },
      result: { log: ['Error: no licence', '\u001b]0;title\u0007 in /opt'], degraded: 'its process is down' },
    });
    const env = { ...server.env, BOWLINE_KEYS: join(temporaryFolder(), 'keys') };
    await bowline(['keys', 'new', 'build'], { env });
    const told = [
      'The order ended failed: rolled back: its process was restarted 3 times (boot-loop).',
      'The device is degraded: its process is down.',
      'It has written last:',
      '  | Error: no licence',
      '  | \uFFFD]0;title\uFFFD in /opt',
    ].join('\n');
    const { code, stdout } = await bowline(UPDATE, { env });
    expect({ code, stdout }).toEqual({ code: 10, stdout: expect.stringContaining(told) });
    const later = await bowline(['fleet', 'order', ORDER_ID], { env });
    expect(later.stdout).toContain(told);
  });

  test('when a release is ordered, the order is signed for that device and order alone, and followed to its end', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'started', 'succeeded'];
    const env = { ...server.env, BOWLINE_KEYS: join(temporaryFolder(), 'keys') };
    await bowline(['keys', 'new', 'build'], { env });
    const shown = JSON.parse((await bowline(['keys', 'show', 'build'], { env })).stdout) as { jwk: never };
    const keys = { root: [], command: [], access: [], update: [shown.jwk] };
    const bundle: TrustBundle = { version: 1, threshold: 1, keys };

    const { code, stdout } = await bowline(
      [...UPDATE, '--allow-downgrade', '--retry-failed', '--preview', '--rollout', '12.5:spring'],
      { env },
    );
    expect(code).toBe(0);
    expect(stdout).toContain('kiosk 1.2.0 to demo');
    const [given] = server.orders as { orderId: string; type: string; payload: { order: string } }[];
    expect(given?.type).toBe('softwareUpdate');
    const orderId = given?.orderId ?? '';
    const expected = { bundle, deviceId: 'demo', groups: [], orderId };
    const { claims } = await verifyClaims('softwareUpdate', given?.payload.order ?? '', expected);
    const release = {
      name: 'kiosk',
      version: '1.2.0',
      channel: 'stable',
      digest: 'a'.repeat(64),
      allowDowngrade: true,
      retryFailed: true,
      preview: true,
      rollout: { percent: 12.5, salt: 'spring' },
    };
    expect(claims).toMatchObject({ ...release, aud: 'demo', orderId });

    const printed = await bowline([...UPDATE.with(2, 'group:kitchen'), '--print'], { env });
    const group = { bundle, deviceId: 'other', groups: ['kitchen'], orderId: 'any' };
    const alone = await verifyClaims('softwareUpdate', printed.stdout.trim(), group);
    expect(alone.claims).toMatchObject({ aud: 'group:kitchen', name: 'kiosk' });
    expect(alone.claims.orderId).toBeUndefined();
    expect(server.orders).toHaveLength(1);
  });
});
