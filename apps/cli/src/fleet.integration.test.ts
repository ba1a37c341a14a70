import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import type { Order } from '@bowline/messages';
import { fakeServer, ORDER_ID } from './testing/fake-server.ts';
import { bowline, startBowline } from './testing/run-bowline.ts';

const PING = ['fleet', 'command', 'demo', 'ping'];

describe('bowline fleet command', () => {
  test('when the order succeeds, each step is shown with its time, then the result, and it ends with 0', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'started', 'succeeded'];
    server.result = { pong: true };

    const { code, stdout, stderr } = await bowline([...PING, '--params', '{"n":1}'], { env: server.env });

    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /received +\d\d:\d\d:\d\d\.010 +\+10 ms\n +started +\d\d:\d\d:\d\d\.020 +\+20 ms\n +succeeded +\d\d:\d\d:\d\d\.030/,
    );
    expect(stdout).toContain('"pong": true');
    expect(server.orders).toEqual([{ type: 'command', payload: { name: 'ping', params: { n: 1 } } }]);
    expect(code).toBe(0);
  });

  const ends: [Order['status'], number][] = [
    ['failed', 10],
    ['rejected', 11],
    ['expired', 12],
    ['cancelled', 13],
    ['indeterminate', 14],
  ];
  test.each(ends)('when the order ends %s, it says why and ends with %i', async (status, exitCode) => {
    const server = await fakeServer();
    server.steps = ['received', status];
    server.error = { code: 'not-allowed', message: 'the policy says no' };

    const { code, stdout } = await bowline(PING, { env: server.env });

    expect(stdout).toContain(`The order ended ${status}: the policy says no (not-allowed).`);
    expect(code).toBe(exitCode);
  });

  test('when the order does not end in time, it says so and that the order goes on', async () => {
    const server = await fakeServer();
    server.online = false;
    server.steps = ['received'];

    const { code, stdout, stderr } = await bowline([...PING, '--timeout', '500ms', '--expires', '10m'], {
      env: server.env,
    });

    expect(stdout).toContain('demo is offline; the order waits for it.');
    expect(stderr).toContain('The order is still received after 500 ms.');
    expect(stderr).toContain(`bowline fleet order ${ORDER_ID}`);
    expect(server.orders).toEqual([{ type: 'command', payload: { name: 'ping' }, expiresInMs: 600_000 }]);
    expect(code).toBe(15);
  });

  test('when JSON is asked for, there is one document and nothing else', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'succeeded'];
    const { code, stdout, stderr } = await bowline([...PING, '--json'], { env: server.env });
    expect(JSON.parse(stdout)).toMatchObject({ orderId: ORDER_ID, status: 'succeeded' });
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('when it is called off, it ends at once and tells nothing of a fault', async () => {
    const server = await fakeServer();
    server.steps = ['received'];
    const child = startBowline(PING, { env: server.env });
    await child.output(/received/);
    const { code } = await child.kill('SIGINT');
    expect(child.stderr()).toBe('');
    expect(code).toBe(130);
  });

  test('when the device is unknown, the id that was likely meant is named', async () => {
    const server = await fakeServer();
    const { code, stderr } = await bowline(['fleet', 'command', 'dmeo', 'ping'], { env: server.env });
    expect(stderr).toBe('The server knows no device "dmeo".\nDid you mean demo? Known: demo.\n');
    expect(server.orders).toEqual([]);
    expect(code).toBe(2);
  });

  test('when the server does not answer, it says so', async () => {
    const env = { BOWLINE_SERVER: 'http://127.0.0.1:9', BOWLINE_TOKEN: 'x' };
    const { code, stderr } = await bowline(PING, { env });
    expect(stderr).toContain('The server at http://127.0.0.1:9 does not answer.');
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(5);
  });

  test('when the token is not good, the refusal comes as JSON where JSON was asked for', async () => {
    const server = await fakeServer();
    const { code, stdout, stderr } = await bowline([...PING, '--json'], {
      env: { ...server.env, BOWLINE_TOKEN: 'other' },
    });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'unauthorized' } });
    expect(stderr).toBe('');
    expect(code).toBe(6);
  });
});

describe('what is typed', () => {
  test('when a command is misspelt, the right one is suggested', async () => {
    const { code, stderr } = await bowline(['statsu']);
    expect(stderr).toContain("unknown command 'statsu'\n(Did you mean status?)");
    expect(code).toBe(2);
  });

  test('when params are no JSON object, it says so before anything is sent', async () => {
    const { code, stdout } = await bowline([...PING, '--params', '[1]', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage' } });
    expect(code).toBe(2);
  });

  test('when params come by a file or standard input, they are sent without standing on the command line; one that holds none or cannot be read is told, not shown', async () => {
    const server = await fakeServer();
    server.steps = ['succeeded'];
    const file = join(temporaryFolder(), 'params.json');
    writeFileSync(file, '{"password":"s3cret"}\n');
    const given = (params: string, input?: string) =>
      bowline([...PING, '--params', params], {
        env: server.env,
        ...(input === undefined ? {} : { input }),
      });
    expect(await given(`@${file}`)).toMatchObject({ code: 0 });
    expect(await given('@-', file)).toMatchObject({ code: 0 });
    const payload = { name: 'ping', params: { password: 's3cret' } };
    expect(server.orders).toEqual([
      { type: 'command', payload },
      { type: 'command', payload },
    ]);
    writeFileSync(file, 's3cret');
    const broken = await given('@-', file);
    expect(broken.stderr).toMatch(/no JSON object.*--params @FILE/s);
    expect(broken.stderr).not.toContain('s3cret');
    const absent = await given('@/nowhere');
    expect(absent.stderr).toContain('/nowhere cannot be read');
    expect([broken.code, absent.code, server.orders.length]).toEqual([2, 2, 2]);
  });

  test('when there is no demo to be found, it says where it has looked', async () => {
    const { code, stderr } = await bowline(['status'], { cwd: '/usr' });
    expect(stderr).toContain('No running demo in /usr or above, and no /etc/bowline/cli.json.');
    expect(code).toBe(3);
  });
});

test('when devices are listed, each has a line', async () => {
  const server = await fakeServer();
  const { code, stdout } = await bowline(['fleet', 'devices'], { env: server.env });
  expect(stdout).toMatch(/^device .*\ndemo +Demo +online/);
  expect(code).toBe(0);
});

describe('bowline fleet history', () => {
  test('when the order succeeds, all items are fetched as soon as they are there, one a line', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'started', 'succeeded'];
    server.answers = [[], [{ series: 'level', points: [[1000, 2]] }, 'a line']];
    const output = join(temporaryFolder(), 'answer.ndjson');
    const range = ['--from', '1970-01-01T00:00:01Z', '--to', '1970-01-01T00:00:02Z'];
    const asked = ['fleet', 'history', 'ask', 'demo', ...range, '--resolution', '1m', '--series', 'level'];

    const { code, stdout, stderr } = await bowline([...asked, '-o', output], { env: server.env });

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`1 parts, 2 items → ${output}`);
    expect(readFileSync(output, 'utf8')).toBe('{"series":"level","points":[[1000,2]]}\n"a line"\n');
    expect(server.orders).toEqual([
      {
        type: 'historyRequest',
        payload: { kind: 'telemetry', from: 1000, to: 2000, series: ['level'], resolutionMs: 60_000 },
      },
    ]);
    const again = await bowline(['fleet', 'history', 'get', ORDER_ID], { env: server.env });
    expect([again.code, again.stdout.split('\n')[1]]).toEqual([0, '"a line"']);
  });

  test('when the device refuses it, the estimate is shown and the exit code says so', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'rejected'];
    server.error = { code: 'history-too-large', message: 'about 5 bytes' };
    const { code, stdout } = await bowline(['fleet', 'history', 'ask', 'demo'], { env: server.env });
    expect([code, stdout]).toEqual([11, expect.stringContaining('about 5 bytes (history-too-large)')]);
  });

  test('when parts are missing, it says so, and does not end with 0', async () => {
    const server = await fakeServer();
    server.answers = [[], []];
    const { code, stderr } = await bowline(['fleet', 'history', 'get', ORDER_ID], { env: server.env });
    expect(code).not.toBe(0);
    expect(stderr).toContain('The answer is not whole');
  });
});

describe('bowline fleet history uploads', () => {
  const upload = {
    uploadId: 'u-1',
    job: 'system',
    kind: 'journal' as const,
    from: 1_750_000_000_000,
    to: 1_750_000_060_000,
    receivedAt: 1_750_000_061_000,
    parts: 2,
    complete: false,
    missing: [],
    spoilt: [],
    items: ['a line'],
  };

  test('when one is still on its way, that is said, what is there is printed, and it does not end with 0', async () => {
    const server = await fakeServer();
    server.uploads = [upload];
    const listed = await bowline(['fleet', 'history', 'uploads', 'demo'], { env: server.env });
    expect(listed.stdout).toMatch(/^u-1 +system +journal +20.*2, more may come$/m);
    const part = await bowline(['fleet', 'history', 'uploads', 'demo', 'u-1'], { env: server.env });
    expect([part.code, part.stdout]).toEqual([15, '"a line"\n']);
    expect(part.stderr).toContain('More may come: bowline fleet history uploads demo u-1.');
  });

  test('when parts are no longer kept, it says which', async () => {
    const server = await fakeServer();
    server.uploads = [{ ...upload, missing: [0, 3] }];
    const part = await bowline(['fleet', 'history', 'uploads', 'demo', 'u-1'], { env: server.env });
    expect([part.code, part.stderr]).toEqual([15, expect.stringContaining('Parts 0, 3 have not come')]);
  });
});

describe('bowline fleet config', () => {
  test('when a document is pushed, its sections go to the server and the order is followed to its end', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'started', 'succeeded'];
    const file = join(temporaryFolder(), 'document.json');
    writeFileSync(file, '{"ssh-broker":{"logLevel":"debug"}}');
    const { code, stdout } = await bowline(
      ['fleet', 'config', 'push', 'demo', file, '--confirm-within', '2m'],
      { env: server.env },
    );
    expect(stdout).toContain(`configuration 8 to demo, order ${ORDER_ID}`);
    expect(stdout).toContain('succeeded');
    expect(server.orders).toEqual([
      { sections: { 'ssh-broker': { logLevel: 'debug' } }, confirmWithinMs: 120_000 },
    ]);
    expect(code).toBe(0);

    writeFileSync(file, '[]');
    const bad = await bowline(['fleet', 'config', 'push', 'demo', file], { env: server.env });
    expect(bad.stderr).toContain('must hold an object with a section for each app');
    expect(bad.code).toBe(2);
  });

  test('when a device has drifted, it is said with what is wanted and what was refused', async () => {
    const server = await fakeServer();
    const errors = [{ app: 'ssh-broker', key: 'x', message: 'is bad' }];
    server.config = {
      wanted: { version: 8, orderId: ORDER_ID, at: 1 },
      version: 7,
      report: { version: 8, status: 'rejected', errors, at: 2 },
      drift: 'version',
    };
    const { stdout } = await bowline(['fleet', 'config', 'show', 'demo'], { env: server.env });
    expect(stdout).toMatch(/wanted +8 /);
    expect(stdout).toMatch(/in force +7/);
    expect(stdout).toContain('ssh-broker: x is bad');
    expect(stdout).toContain('Drift: another document is in force than the one wanted.');
  });
});

describe('bowline fleet cancel', () => {
  const cancel = (server: { env: Record<string, string> }) =>
    bowline(['fleet', 'cancel', ORDER_ID], { env: server.env });

  test('when the device stops the order, it says so and ends with 0', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'succeeded'];
    const { code, stdout } = await cancel(server);
    expect(stdout).toMatch(new RegExp(`^cancel of ${ORDER_ID}, order [^]*succeeded[^]*Cancelled\\.\n$`));
    expect(code).toBe(0);
  });

  test('when the device got the order as expired, it says that it never began and ends with 0', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'failed', 'expired'];
    const { code, stdout } = await cancel(server);
    expect(stdout).toMatch(/The order never began\.\n$/);
    expect(code).toBe(0);
  });

  test('when an order that was called off before its device had it is looked at, it says so while it still waits', async () => {
    const server = await fakeServer();
    server.steps = ['queued'];
    server.error = { code: 'withdrawn', message: 'the order was called off' };
    const { code, stdout } = await bowline(['fleet', 'order', ORDER_ID], { env: server.env });
    expect(stdout).toMatch(/queued[^]*\nWithdrawn: the order was called off\.\n$/);
    expect(code).toBe(0);
  });

  test('when it is too late for the device, or the order has ended already, it says so', async () => {
    const server = await fakeServer();
    server.steps = ['received', 'failed'];
    server.error = { code: 'too-late', message: 'it ended succeeded' };
    const late = await cancel(server);
    expect(late.stdout).toContain('The order ended failed: it ended succeeded (too-late).');
    expect(late.code).toBe(10);
    server.ended = true;
    const ended = await cancel(server);
    expect(ended.stderr).toContain('he order has ended already: succeeded');
    expect(ended.code).toBe(6);
  });
});
