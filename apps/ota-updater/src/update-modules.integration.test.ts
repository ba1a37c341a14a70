import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, needs, temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { UpdateDevice } from './testing/update-device.ts';

const LONG = 300_000;
let device: UpdateDevice;
afterEach(() => device.close());

/** A module that writes down how it is called, and fails in the state that it is told to. */
const TRACING = `#!/bin/sh
echo "$1" >> TRACE
[ "$(pwd)" = "$2" ] && [ "$(cat version)" = 3 ] || exit 9
if [ "$1" = "$(cat files/fails 2>/dev/null)" ]; then echo "this is why" >&2; exit 1; fi
if [ "$1" = Download ] && [ -e files/streams ]; then
  most=$(cat files/streams)
  while [ "$most" -gt 0 ]; do
    most=$((most - 1))
    next=$(cat stream-next)
    [ -n "$next" ] || exit 0
    echo "$next=$(wc -c < "$next")" >> TRACE
  done
  [ "$(cat files/streams)" = 99 ] || exec cat stream-next
fi
if [ "$1" = ArtifactInstall ] && [ -e files/slow ]; then
  echo $$ > TRACE.pid
  until [ -e TRACE.go ]; do sleep 0.05; done
  echo late >> TRACE
fi
case "$1" in
  SupportsRollback) cat files/rollback 2>/dev/null || echo Yes;;
  NeedsArtifactReboot) cat files/reboot 2>/dev/null || echo No;;
  ArtifactReboot|ArtifactRollbackReboot) exec REBOOT;;
esac
exit 0
`;
/** A device that goes down: another boot comes, and the updater is gone without a word. */
const REBOOT = `#!/bin/sh
echo "reboot" >> TRACE
echo "boot-$$" > BOOT
kill -9 $PPID
sleep 10
`;

async function openTracing() {
  device = await UpdateDevice.open({ kinds: ['module:tracing'] });
  const folder = temporaryFolder();
  const trace = join(folder, 'trace');
  device.modulesDir = folder;
  device.rebootProgram = join(folder, 'reboot');
  const filled = (script: string) =>
    script
      .replaceAll('TRACE', trace)
      .replace('exec REBOOT', `exec ${device.rebootProgram}`)
      .replace('> BOOT', `> ${device.bootFile}`);
  for (const [name, script] of Object.entries({ tracing: filled(TRACING), reboot: filled(REBOOT) }))
    writeFileSync(join(folder, name), script, { mode: 0o755 });
  device.start();
  const manifest = { kind: 'module:tracing' as const };
  const install = async (version: string, files: Record<string, string>) => {
    writeFileSync(trace, '');
    device.release('payload', version, { files, manifest, filesOnly: true });
    const order = await device.order('payload', version);
    await device.gateway.hand('ota-updater', order);
    for (let boots = files['files/boots']?.length ?? 0; boots > 0; boots -= 1) {
      await device.updater?.exited;
      device.start();
    }
    const end = await device.ended(order.orderId);
    // The state Cleanup comes after the end.
    await waitFor(() => readFileSync(trace, 'utf8').includes('Cleanup'));
    return { end, states: readFileSync(trace, 'utf8').trim().split('\n').join(' ') };
  };
  /** Orders one whose installation goes on until it may end. */
  const installSlowly = async (version: string) => {
    writeFileSync(trace, '');
    device.release('payload', version, { files: { 'files/slow': '' }, manifest, filesOnly: true });
    const order = await device.order('payload', version);
    await device.gateway.hand('ota-updater', order);
    const pid = await waitFor(() => Number(readFileSync(`${trace}.pid`, 'utf8')));
    return { orderId: order.orderId, pid, mayEnd: () => writeFileSync(`${trace}.go`, '') };
  };
  const states = async () => {
    await waitFor(() => readFileSync(trace, 'utf8').includes('Cleanup'), { what: 'Cleanup' });
    return readFileSync(trace, 'utf8').trim().split('\n').join(' ');
  };
  return { install, installSlowly, states };
}

test(
  'when the updater is killed within an installation, the module is ended before it is rolled back, and Cleanup is made up for',
  { timeout: LONG },
  async () => {
    const { installSlowly, states } = await openTracing();
    const { orderId, pid } = await installSlowly('1.0.0');
    await device.updater?.kill('SIGKILL');
    expect(isRunning(pid)).toBe(true);
    device.dieAt(['after rolled-back']);
    await device.start().exited;
    expect(isRunning(pid)).toBe(false);
    device.start();
    expect(await device.ended(orderId)).toMatchObject({ error: { code: 'interrupted' } });
    expect(await states()).toBe(
      'Download SupportsRollback ArtifactInstall SupportsRollback ArtifactRollback ArtifactFailure Cleanup',
    );
  },
);

test(
  'when a configuration that needs a restart comes within an installation, it is waited for',
  { timeout: LONG },
  async () => {
    const { installSlowly, states } = await openTracing();
    const { orderId, mayEnd } = await installSlowly('1.0.0');
    const exited = device.updater?.exited;
    await device.gateway.configure('ota-updater', { trial: { soakMs: 1 } });
    mayEnd();
    expect(await exited).toEqual({ code: 0, signal: null });
    device.start();
    expect((await device.ended(orderId)).status).toBe('succeeded');
    expect(await states()).toBe(
      'Download SupportsRollback ArtifactInstall late NeedsArtifactReboot ArtifactCommit Cleanup',
    );
  },
);

describe('the order of states is that of Mender’s client', () => {
  test('when all goes well, and when install or commit fail', { timeout: LONG }, async () => {
    const { install } = await openTracing();
    expect(await install('1.0.0', { 'files/a': 'a' })).toMatchObject({
      end: { status: 'succeeded' },
      states: 'Download SupportsRollback ArtifactInstall NeedsArtifactReboot ArtifactCommit Cleanup',
    });
    expect(await install('2.0.0', { 'files/fails': 'ArtifactInstall' })).toMatchObject({
      end: {
        status: 'failed',
        error: { code: 'switch-failed', message: expect.stringContaining('ArtifactInstall: ended with 1') },
        result: { log: ['this is why'] },
      },
      states:
        'Download SupportsRollback ArtifactInstall SupportsRollback ArtifactRollback ArtifactFailure Cleanup',
    });
    expect(await install('3.0.0', { 'files/fails': 'ArtifactCommit' })).toMatchObject({
      end: { error: { code: 'commit-failed' } },
      states:
        'Download SupportsRollback ArtifactInstall NeedsArtifactReboot ArtifactCommit SupportsRollback ArtifactRollback ArtifactFailure Cleanup',
    });
    const stuck = await install('4.0.0', { 'files/fails': 'ArtifactInstall', 'files/rollback': 'No' });
    expect(stuck.end.result).toMatchObject({ degraded: expect.stringContaining('cannot roll back') });
    await waitFor(() => readdirSync(join(device.folder, 'releases/.modules')).length === 0);
  });

  test(
    'when a module wants a reboot, it is verified after the boot; if it is not well, the way back takes one, too',
    { timeout: LONG },
    async () => {
      const { install } = await openTracing();
      const begin = 'Download SupportsRollback ArtifactInstall NeedsArtifactReboot';
      expect(await install('1.0.0', { 'files/reboot': 'Yes', 'files/boots': 'x' })).toMatchObject({
        end: { status: 'succeeded' },
        states: `${begin} ArtifactReboot reboot ArtifactVerifyReboot ArtifactCommit Cleanup`,
      });
      expect(await install('2.0.0', { 'files/reboot': 'Automatic', 'files/boots': 'x' })).toMatchObject({
        end: { status: 'succeeded' },
        states: `${begin} reboot ArtifactVerifyReboot ArtifactCommit Cleanup`,
      });
      const bad = { 'files/reboot': 'Yes', 'files/boots': 'xx', 'files/fails': 'ArtifactVerifyReboot' };
      const back =
        'SupportsRollback ArtifactRollback ArtifactRollbackReboot reboot ArtifactVerifyRollbackReboot';
      expect(await install('3.0.0', bad)).toMatchObject({
        end: {
          status: 'failed',
          error: { code: 'verify-failed', message: expect.stringContaining('ArtifactVerifyReboot') },
          result: { phase: 'rolled-back' },
        },
        states: `${begin} ArtifactReboot reboot ArtifactVerifyReboot ${back} ArtifactFailure Cleanup`,
      });
    },
  );

  test(
    'when a module reads stream-next, it gets each file through a pipe of its own; if it stops within one, it is rolled back',
    { timeout: LONG },
    async () => {
      const { install } = await openTracing();
      const big = 'x'.repeat(300_000);
      const files = { 'files/a': 'small', 'files/b': big, 'files/c': '', 'files/streams': '99' };
      const { end, states } = await install('1.0.0', files);
      expect(end.status).toBe('succeeded');
      const bytes = { a: 5, b: 300_000, c: 0, streams: 2 };
      const seen = Object.entries(bytes).map(([name, size]) => `streams/${name}=${size}`);
      expect(states).toBe(
        `Download ${seen.join(' ')} SupportsRollback ArtifactInstall NeedsArtifactReboot ArtifactCommit Cleanup`,
      );
      const stopped = await install('2.0.0', { ...files, 'files/streams': '1' });
      expect(stopped).toMatchObject({
        end: {
          status: 'failed',
          error: { message: expect.stringContaining('before it had read its streams') },
        },
        states: 'Download streams/a=5 SupportsRollback ArtifactRollback ArtifactFailure Cleanup',
      });
    },
  );

  test(
    'when the policy does not name the type, or there is no such module, it is not called',
    { timeout: LONG },
    async () => {
      await openTracing();
      device.release('payload', '1.0.0', { manifest: { kind: 'module:other' }, filesOnly: true });
      expect((await device.update('payload', '1.0.0')).error?.code).toBe('unknown-kind');
      device.setPolicy({ kinds: ['app'] });
      device.release('payload', '2.0.0', { manifest: { kind: 'module:tracing' }, filesOnly: true });
      expect((await device.update('payload', '2.0.0')).error?.code).toBe('not-allowed');
    },
  );
});

describe.runIf(needs('mender-client'))('the modules of Debian’s mender-client', () => {
  test(
    'when script, single-file and directory install, they do what they do under Mender',
    { timeout: LONG },
    async () => {
      const kinds = ['script', 'single-file', 'directory'].map((type) => `module:${type}` as const);
      device = await UpdateDevice.open({ kinds });
      device.start();
      const target = temporaryFolder();
      const install = (
        name: string,
        version: string,
        type: string,
        files: Record<string, string>,
        probe?: string,
      ) => {
        const command = probe === undefined ? {} : { probe: { command: [probe] } };
        const manifest = { kind: `module:${type}` as const, ...command };
        device.release(name, version, { files, manifest, filesOnly: true });
        return device.update(name, version);
      };
      const script = `#!/bin/sh\necho ran > ${target}/by-script\n`;
      expect((await install('s', '1.0.0', 'script', { 'files/run.sh': script })).status).toBe('succeeded');
      expect(readFileSync(join(target, 'by-script'), 'utf8')).toBe('ran\n');
      const bad = await install('s', '2.0.0', 'script', {
        'files/run.sh': '#!/bin/sh\necho no >&2; exit 7\n',
      });
      expect(bad).toMatchObject({ status: 'failed', result: { log: ['no'] } });

      const single = (content: string) => ({
        'files/dest_dir': target,
        'files/filename': 'one.conf',
        'files/permissions': '640',
        'files/one.conf': content,
      });
      expect((await install('f', '1.0.0', 'single-file', single('first'))).status).toBe('succeeded');
      const failing = { ...single('second'), 'probe.sh': '#!/bin/sh\nexit 1\n' };
      expect((await install('f', '2.0.0', 'single-file', failing, 'probe.sh')).error?.code).toBe(
        'probe-failed',
      );
      expect(readFileSync(join(target, 'one.conf'), 'utf8')).toBe('first');

      const packed = temporaryFolder();
      mkdirSync(join(packed, 'in'));
      writeFileSync(join(packed, 'in', 'index.html'), 'hello');
      execFileSync('tar', ['-cf', join(packed, 'update.tar'), '-C', join(packed, 'in'), '.']);
      const tar = readFileSync(join(packed, 'update.tar'), 'latin1');
      const files = { 'files/dest_dir': join(target, 'site'), 'files/update.tar': tar };
      expect((await install('d', '1.0.0', 'directory', files)).status).toBe('succeeded');
      expect(readFileSync(join(target, 'site/index.html'), 'utf8')).toBe('hello');
      expect(existsSync(join(device.folder, 'releases/.modules'))).toBe(true);
    },
  );
});
