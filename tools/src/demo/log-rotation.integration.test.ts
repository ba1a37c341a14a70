import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort, needs, waitFor } from '@bowline/testing';
import { FakeCheckout } from './testing/fake-checkout.ts';

const MORE_THAN_5_MB = 6 * 1024 * 1024;

const checkout = new FakeCheckout();
afterEach(() => checkout.dispose());

test.runIf(needs('logrotate'))(
  'when a log has grown beyond 5 MB, it is rotated and pm2 goes on in a new file',
  async () => {
    const { output } = await checkout.start(['--port', String(await freePort())]);
    expect(output).not.toContain('not rotated');
    const { home, logDir } = checkout.layout;
    const log = join(logDir, 'ws-gateway.log');
    appendFileSync(log, `${'x'.repeat(MORE_THAN_5_MB)}\n`);

    const conf = join(home, 'logrotate.conf');
    const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
    execFileSync('logrotate', ['--state', `${conf}.state`, conf], {
      env: { ...process.env, PATH },
      stdio: 'pipe',
    });

    expect(statSync(`${log}.1`).size).toBeGreaterThan(MORE_THAN_5_MB);
    expect(existsSync(join(logDir, 'ssh-broker.log.1'))).toBe(false);
    await waitFor(() => existsSync(log), { what: 'pm2 to open the log anew' });
    process.kill(checkout.pidOf('ws-gateway'), 'SIGKILL');
    await waitFor(() => readFileSync(log, 'utf8').includes('"ready"'), { what: 'a line of the next life' });
    expect(statSync(log).size).toBeLessThan(10_000);
  },
);
