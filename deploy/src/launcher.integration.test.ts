import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:tls';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs, temporaryFolder } from '@bowline/testing';
import { certificateAuthority } from '@bowline/testing/certificates';
import { describe, expect, test } from 'vitest';

// faketime reads local time.
process.env['TZ'] = 'UTC';

/** A device that has lost its time. */
const THEN = '1970-01-02 00:00:00';
const HOUR_MS = 3_600_000;

/** The built launcher, of that age, with a program in place of `date` that only writes down what it is asked: the clock of this machine is never set. */
function launcher(buildMs: number) {
  const folder = temporaryFolder();
  const main = join(folder, 'main.js');
  cpSync(join(import.meta.dirname, '../dist/main.js'), main);
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  utimesSync(main, buildMs / 1000, buildMs / 1000);
  const asked = join(folder, 'asked');
  const set = join(folder, 'set');
  writeFileSync(set, `#!/bin/sh\nprintf '%s ' "$@" > ${asked}\n`, { mode: 0o700 });
  const trusted = join(folder, 'trusted-time.json');
  const run = (at: string | undefined) => {
    const args = [process.execPath, main, '--trusted-time', trusted, '--set', set];
    const [program = '', ...rest] = at === undefined ? args : ['faketime', at, ...args];
    const { level, message } = JSON.parse(execFileSync(program, rest, { encoding: 'utf8' })) as Record<
      string,
      string
    >;
    return { level, message, asked: existsSync(asked) ? readFileSync(asked, 'utf8').trim() : undefined };
  };
  return { folder, trusted, set, run };
}

describe.runIf(needs('faketime'))('a device whose clock starts in 1970', () => {
  test.runIf(needs('openssl'))(
    'when the launcher has raised it, TLS succeeds, which fails before',
    async () => {
      const { ca, issue } = certificateAuthority();
      const listener = createServer(issue('IP:127.0.0.1'), (socket) => socket.end('hello'));
      await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
      const { port } = listener.address() as { port: number };
      const client = `
        require('node:tls').connect({ host: '127.0.0.1', port: ${port}, ca: process.env.CA })
          .on('error', ({ code }) => console.log(code)).on('data', (data) => console.log(String(data)));`;
      const withCa = { env: { ...process.env, CA: ca } };
      const connectAt = async (at: string) =>
        (await promisify(execFile)('faketime', [at, process.execPath, '-e', client], withCa)).stdout.trim();

      expect(await connectAt(THEN)).toBe('CERT_NOT_YET_VALID');
      const device = launcher(Date.now() + 1000);
      const { asked } = device.run(THEN);
      const [, raisedTo = ''] = asked?.split('--set=') ?? [];
      expect(await connectAt(raisedTo.replace('T', ' ').replace(/\..*/, ''))).toBe('hello');
      listener.close();
    },
  );

  test('when the server’s time was recorded after the build, the clock is raised to that', () => {
    const device = launcher(Date.UTC(2026, 5));
    writeFileSync(device.trusted, JSON.stringify({ at: Date.UTC(2026, 10, 25, 12) }));
    expect(device.run(THEN)).toEqual({
      level: 'warn',
      message: 'the clock was behind what is known: raised',
      asked: '--utc --set=2026-11-25T12:00:00.000Z',
    });
  });

  test.each([
    ['is a link', (file: string) => symlinkSync('/etc/hostname', file)],
    ['is a pipe that nobody writes', (file: string) => execFileSync('mkfifo', [file])],
    ['is a folder', (file: string) => mkdirSync(file)],
    ['is cut off', (file: string) => writeFileSync(file, '{"at":17')],
    ['holds no time', (file: string) => writeFileSync(file, '{"at":9007199254740991}')],
    ['is null', (file: string) => writeFileSync(file, 'null')],
    ['is huge', (file: string) => writeFileSync(file, `{"at":1}${' '.repeat(10_000)}`)],
  ])('when what the gateway left there %s, the time of the build counts', (_, leave) => {
    const device = launcher(Date.UTC(2026, 5));
    leave(device.trusted);
    expect(device.run(THEN).asked).toBe('--utc --set=2026-06-01T00:00:00.000Z');
  });

  test('when the clock cannot be set, the launcher says so and does not fail', () => {
    const device = launcher(Date.UTC(2026, 5));
    writeFileSync(device.set, '#!/bin/sh\nexit 1\n', { mode: 0o700 });
    expect(device.run(THEN)).toMatchObject({
      level: 'error',
      message: expect.stringContaining('TLS will fail'),
    });
  });
});

test('when the clock is right, it is left alone', () => {
  const device = launcher(Date.now() - HOUR_MS);
  writeFileSync(device.trusted, JSON.stringify({ at: Date.now() - HOUR_MS }));
  expect(device.run(undefined)).toMatchObject({ level: 'info', asked: undefined });
});
