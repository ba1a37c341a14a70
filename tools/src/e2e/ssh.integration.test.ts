import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { freePort, needs, temporaryFolder, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { falseRelay, falseServer } from './false-relay.ts';
import { pidIn, SESSION, SshFleet, untilGone } from './ssh-fleet.ts';

/** What comes from a port until it is closed; undefined if nobody listens. */
const answerAt = (port: number): Promise<{ text: string } | undefined> =>
  new Promise((resolve) => {
    let text = '';
    connect(port, '127.0.0.1')
      .on('data', (data) => (text += data.toString()))
      .on('error', () => resolve(undefined))
      .on('end', () => resolve({ text }));
  });

describe.runIf(needs('openssh-server') && needs('openssh-client'))('ssh to a device', () => {
  let ssh: SshFleet;
  let authority: string;
  beforeAll(async () => {
    authority = join(temporaryFolder(), 'ca');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authority]);
    ssh = await SshFleet.start({ userCaFile: `${authority}.pub` });
  });

  const nothingLeft = () => waitFor(() => readdirSync(ssh.runFolder()).length === 0, { what: 'no folder' });
  /** A session without terminal and forwards that stays open until `end`. */
  async function holdOpen(...options: string[]) {
    const child = ssh.start('ssh', DEVICE_ID, ...options, '--', 'echo ready; sleep 600');
    await child.output(/ready/);
    const [, sessionId = ''] = await child.output(SESSION);
    return { child, sessionId, config: await ssh.openConfig(sessionId) };
  }
  async function end(sessionId: string): Promise<void> {
    expect((await ssh.bowline('fleet', 'ssh-sessions', 'end', sessionId)).code).toBe(0);
    await ssh.ended(sessionId);
    await nothingLeft();
  }

  test('when it is granted, a command runs on the device, and its output and exit code come back', async () => {
    const words = ['--reason', 'a look', '--', 'echo "of $BOWLINE_SESSION"; exit 7'];
    const { code, out } = await ssh.bowline('ssh', DEVICE_ID, ...words);
    const [, sessionId = ''] = /of ([0-9a-f-]{36})/.exec(out) ?? [];
    expect(code).toBe(7);
    expect(await ssh.ended(sessionId)).toMatchObject({
      end: 'ended-by-operator',
      survivors: 0,
      streams: 1,
      by: 'admin',
    });
    await nothingLeft();
    const audit = await ssh.onDevice('ssh-audit');
    expect(audit).toMatchObject({
      code: 0,
      out: expect.stringContaining('Whole and unchanged: entries 1 to'),
    });
    expect(audit.out).toMatch(new RegExp(`ssh\\.ended +admin .*${sessionId}.* end=ended-by-operator`));
    expect(audit.out).toMatch(new RegExp(`ssh\\.started +admin .*${sessionId}.* reason=a look`));
  });

  test.runIf(needs('rsync'))('when scp, sftp and rsync are granted, files go both ways whole', async () => {
    const content = randomBytes(3_000_000);
    const local = ssh.file('up.bin', content);
    const remote = ssh.file('remote.bin');
    expect(await ssh.bowline('scp', '--', '-q', local, `${DEVICE_ID}:${remote}`)).toMatchObject({
      code: 0,
    });
    expect(readFileSync(remote).equals(content)).toBe(true);
    const down = ssh.file('down.bin');
    expect(await ssh.bowline('rsync', '--', '-q', `${DEVICE_ID}:${remote}`, down)).toMatchObject({
      code: 0,
    });
    expect(readFileSync(down).equals(content)).toBe(true);
    const batch = ssh.file('batch', `get ${remote} ${ssh.file('sftp.bin')}\n`);
    expect(await ssh.bowline('sftp', '--', '-b', batch, `${DEVICE_ID}:`)).toMatchObject({ code: 0 });
    expect(readFileSync(ssh.file('sftp.bin')).equals(content)).toBe(true);
  });

  test('when more is asked for than the policy allows, the rule is told', async () => {
    const long = await ssh.bowline('ssh', DEVICE_ID, '--for', '2h', '--', 'true');
    expect(long).toMatchObject({ code: 11, out: expect.stringContaining('/ssh/maxSeconds') });
    const agent = await ssh.bowline('ssh', DEVICE_ID, '-A', '--', 'true');
    expect(agent).toMatchObject({ code: 11, out: expect.stringContaining('/ssh/capabilities') });
    const other = await ssh.bowline('ssh', DEVICE_ID, '--user', 'daemon', '--', 'true');
    expect(other).toMatchObject({ code: 11, out: expect.stringContaining('/ssh/users') });
    expect(await ssh.sessions()).toEqual([]);
  });

  test('when only a command was granted, forwards, a terminal and sftp are refused; and one connection too many', async () => {
    const { sessionId, config } = await holdOpen('--streams', '2');
    const inIt = async (...args: string[]) => {
      const child = ssh.run('ssh', '-F', config, '-o', 'LogLevel=INFO', ...args);
      return { code: (await child.exited).code, out: child.stdout() + child.stderr() };
    };
    expect(await inIt(DEVICE_ID, '--', 'echo second')).toMatchObject({
      code: 0,
      out: expect.stringContaining('second'),
    });
    const forward = await inIt('-W', '127.0.0.1:1', DEVICE_ID);
    expect(forward.out).toContain('administratively prohibited');
    expect((await inIt('-tt', DEVICE_ID, '--', 'tty')).out).toContain('PTY allocation request failed');
    expect((await inIt('-s', DEVICE_ID, 'sftp')).out).toContain('subsystem request failed');
    const remote = await inIt('-N', '-R', `${await freePort()}:127.0.0.1:1`, DEVICE_ID);
    expect(remote.out).toMatch(/remote port forwarding failed/);
    const second = ssh.run('ssh', '-F', config, DEVICE_ID, '--', 'echo there; sleep 600');
    await second.output(/there/);
    expect((await inIt(DEVICE_ID, '--', 'true')).out).toContain('as many connections as its grant allows');
    await end(sessionId);
    expect((await second.exited).code).not.toBe(0);
  });

  test('when forwards were granted, they reach a unix socket for one who may run programs there, and for nobody else', async () => {
    const socket = ssh.file('service.sock');
    const service = createServer((peer) => peer.end('served'));
    await new Promise<void>((resolve) => service.listen(socket, resolve));
    const served = async (...more: string[]) => {
      const port = await freePort();
      const child = ssh.start('ssh', DEVICE_ID, '-L', `${port}:${socket}`, ...more);
      await waitFor(() => SESSION.test(child.stderr()), { what: 'the session' });
      const { text } = await waitFor(() => answerAt(port), { what: 'ssh to listen' });
      const [, sessionId = ''] = SESSION.exec(child.stderr()) ?? [];
      await end(sessionId);
      return text;
    };
    expect(await served('--', 'sleep 600')).toBe('served');
    expect(await served('-N')).toBe('');
    service.close();
  }, 60_000);

  test('when the time is up, a child by setsid and nohup, a double fork, one without environment and a forward are gone', async () => {
    const [forked, twice, hidden] = ['forked', 'twice', 'hidden'].map((name) => ssh.file(`${name}.pid`)) as [
      string,
      string,
      string,
    ];
    const port = await freePort();
    const script = [
      `setsid nohup sleep 1000 >/dev/null 2>&1 & echo $! > ${forked}`,
      `(sh -c 'setsid sleep 1000 >/dev/null 2>&1 & echo $! > ${twice}' &)`,
      `env -i setsid sh -c 'echo $$ > ${hidden}; exec sleep 1000' >/dev/null 2>&1 &`,
      'sleep 1000',
    ].join('\n');
    const forward = `${port}:127.0.0.1:${new URL(ssh.fleet.operatorEnv.BOWLINE_SERVER).port}`;
    const opened = async (time: string) => {
      for (const file of [forked, twice, hidden]) rmSync(file, { force: true });
      const child = ssh.start('ssh', DEVICE_ID, '--for', time, '-L', forward, '--', script);
      const pids = [await pidIn(forked), await pidIn(twice)];
      const [, sessionId = ''] = await child.output(SESSION);
      // Without cgroups of its own a session cannot hold what hides itself (docs/ssh.md).
      if (await ssh.hasCgroup(sessionId)) pids.push(await pidIn(hidden));
      const { ok } = await fetch(`http://127.0.0.1:${port}/v1/health`);
      return { child, pids, sessionId, ok };
    };
    // Where the machine is too slow for the first, the time is up before all is seen.
    const { child, pids, sessionId, ok } = await opened('8s').catch(() => opened('40s'));
    expect(ok).toBe(true);
    expect(await ssh.ended(sessionId)).toMatchObject({ end: 'expired', survivors: 0 });
    for (const pid of pids) await untilGone(pid);
    expect((await child.exited).code).not.toBe(0);
    expect(child.stderr()).toContain('The session is over');
    expect(child.stderr()).toContain('The time of the session was up');
    await expect(fetch(`http://127.0.0.1:${port}/v1/health`)).rejects.toThrow('fetch failed');
    await nothingLeft();
  });

  test('when the relay answers with an sshd of its own, ssh refuses before it sends anything', async () => {
    const { sessionId, config } = await holdOpen();
    const evil = ssh.file('evil_key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', evil]);
    const url = await falseRelay(ssh.file('evil_config', `HostKey ${evil}\nUsePAM no\nStrictModes no\n`));
    writeFileSync(join(dirname(config), 'tunnel.json'), JSON.stringify({ url, token: 'any' }));
    const caught = ssh.run('ssh', '-F', config, DEVICE_ID, '--', 'true');
    expect((await caught.exited).code).toBe(255);
    expect(caught.stderr()).toMatch(/Host key verification failed/);
    await end(sessionId);

    const own = readFileSync(`${evil}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
    const server = await falseServer(ssh.fleet.operatorEnv.BOWLINE_SERVER, own);
    const known = ssh.file('known-here.json');
    const env = { ...ssh.env, BOWLINE_SERVER: server, BOWLINE_KNOWN_DEVICES: known };
    const { code, out } = await ssh.bowlineWith(env, 'ssh', DEVICE_ID, '--', 'true');
    expect({ code, out }).toMatchObject({ code: 6, out: expect.stringContaining("not demo's own") });
    const pinned = await ssh.bowline('ssh', DEVICE_ID, '--device-key', 'x'.repeat(43), '--', 'true');
    expect(pinned).toMatchObject({ code: 6, out: expect.stringContaining('has the key') });

    // A colleague, who has the authority's word instead of a first time.
    const { out: certificate } = await ssh.bowline(
      'fleet',
      'certify',
      DEVICE_ID,
      '--sign',
      'access',
      '--json',
    );
    const file = ssh.file('certificates', (JSON.parse(certificate) as { certificate: string }).certificate);
    const colleague = { ...ssh.env, BOWLINE_KNOWN_DEVICES: ssh.file('known-there.json', '{}') };
    const certified = ['--device-ca', 'access', '--device-certificates', file];
    const first = await ssh.bowlineWith(colleague, 'ssh', DEVICE_ID, ...certified, '--', 'echo in');
    expect(first).toMatchObject({ code: 0, out: expect.stringContaining('in\n') });
    expect(first.out).not.toContain('First session');
    await nothingLeft();
  });

  test('when it is to be recorded, what the terminal showed is kept', async () => {
    const command = `${process.execPath} ${ssh.main} ssh ${DEVICE_ID} --record`;
    const typed = ssh.file('typed', 'echo to be $((20 + 3))\nexit\n');
    const child = ssh.run('sh', '-c', `script -qec '${command}' /dev/null < ${typed}`);
    await child.exited;
    const [, sessionId = ''] = SESSION.exec(child.stdout()) ?? [];
    await ssh.ended(sessionId);
    const folder = join(ssh.fleet.layout.stateDir, 'ssh-broker', 'recordings');
    const [cast = ''] = readdirSync(folder).filter((name) => name.startsWith(sessionId));
    const [header = '', ...events] = readFileSync(join(folder, cast), 'utf8').trim().split('\n');
    expect(JSON.parse(header)).toMatchObject({ version: 2 });
    expect(events.map((line) => (JSON.parse(line) as [number, string, string])[2]).join('')).toContain(
      'to be 23',
    );
  });

  test('when a terminal is open in the last minute, a line on it says how long it is', async () => {
    const command = `${process.execPath} ${ssh.main} ssh ${DEVICE_ID} --for 40s`;
    // A keyboard on which nobody types: one that ended would end the shell.
    const keyboard = ssh.file('keyboard');
    execFileSync('mkfifo', [keyboard]);
    const child = ssh.run('sh', '-c', `exec script -qec '${command}' /dev/null 0<>${keyboard}`);
    const [, seconds = ''] = await child.output(/bowline: this session ends in (\d+) seconds, with all/);
    expect(Number(seconds)).toBeLessThan(40);
    const [, sessionId = ''] = SESSION.exec(child.stdout()) ?? [];
    await end(sessionId);
    await child.kill();
  });

  test('when the order is cancelled, as the console does, the session ends with it', async () => {
    const { child, sessionId } = await holdOpen();
    const [order] = (await ssh.fleet.api.orders(DEVICE_ID)).filter(({ status }) => status === 'started');
    expect(order?.type).toBe('sshAccess');
    await ssh.fleet.api.cancel(order?.orderId ?? '');
    expect(await ssh.ended(sessionId)).toMatchObject({ end: 'cancelled', survivors: 0 });
    expect((await child.exited).code).not.toBe(0);
    await waitFor(async () => (await ssh.fleet.api.order(order?.orderId ?? '')).status === 'cancelled');
    await nothingLeft();
  });

  test('when the window of the client is closed, the session ends with it, and no key of it stays', async () => {
    const { child, sessionId } = await holdOpen();
    await child.kill('SIGHUP');
    expect(await ssh.ended(sessionId)).toMatchObject({ end: 'ended-by-operator', survivors: 0 });
    expect(readdirSync(ssh.home).filter((name) => name.startsWith('bowline-ssh-'))).toEqual([]);
    await nothingLeft();
  });

  test('when a principal is granted, a certificate for it gets in, and one for another does not', async () => {
    const key = ssh.file('certified');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    execFileSync('ssh-keygen', ['-q', '-s', authority, '-I', 'ada', '-n', 'ops', '-V', '+1h', `${key}.pub`]);
    const by = (principal: string) =>
      ssh.bowline('ssh', DEVICE_ID, '--principal', principal, '--identity', key, '--', 'echo let in');
    expect(await by('ops')).toMatchObject({ code: 0, out: expect.stringContaining('let in') });
    await nothingLeft();
    expect(await by('others')).toMatchObject({
      code: 255,
      out: expect.stringContaining('Permission denied'),
    });
    await nothingLeft();
  });
});
