import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { FaultProxy, isRunning, needs, seededRandom, waitFor } from '@bowline/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { DEVICE_ID } from '../demo/layout.ts';
import { pidIn, SESSION, SshFleet, untilGone } from './ssh-fleet.ts';

/** Kbit/s: slow enough to be met in the middle. */
const RATE = '16000';

describe.runIf(needs('openssh-server') && needs('openssh-client'))(
  'kill -9 in the middle of a transfer',
  () => {
    let ssh: SshFleet;
    let content: Buffer;
    beforeAll(async () => {
      ssh = await SshFleet.start();
      content = randomBytes(16 * 1024 * 1024);
      ssh.file('up.bin', content);
    });

    /** A copy, and where it lands, once some of it has. */
    async function copying(name: string) {
      const remote = ssh.file(name);
      const args = ['-q', '-l', RATE, ssh.file('up.bin'), `${DEVICE_ID}:${remote}`];
      const child = ssh.start('scp', '--', ...args);
      await waitFor(() => existsSync(remote) && statSync(remote).size > 0, { what: 'the copy to begin' });
      const [, sessionId = ''] = await child.output(SESSION);
      return { child, remote, sessionId };
    }
    const sleeping = async (name: string) => {
      const file = ssh.file(name);
      const child = ssh.start(
        'ssh',
        DEVICE_ID,
        '--',
        `setsid nohup sleep 1000 >/dev/null 2>&1 & echo $! > ${file}; sleep 1000`,
      );
      const pid = await pidIn(file);
      const [, sessionId = ''] = await child.output(SESSION);
      return { child, pid, sessionId };
    };
    /** A copy in a session that is open, once some of it has landed. */
    async function copyingIn(config: string, name: string) {
      const remote = ssh.file(name);
      const args = ['-q', '-O', '-l', RATE, '-F', config, ssh.file('up.bin'), `${DEVICE_ID}:${remote}`];
      const child = ssh.run('scp', ...args);
      await waitFor(() => existsSync(remote) && statSync(remote).size > 0, { what: 'the copy to begin' });
      return child;
    }
    const pidOf = async (app: string) => waitFor(async () => (await ssh.fleet.pids())[app]);
    const nothingLeft = () => waitFor(() => readdirSync(ssh.runFolder()).length === 0, { what: 'no folder' });

    test('when the broker is killed, the shell ends, what ran in it is gone, and the order ends as cut off', async () => {
      const { child, pid, sessionId } = await sleeping('a.pid');
      const copy = await copyingIn(await ssh.openConfig(sessionId), 'a.bin');
      process.kill(await pidOf('ssh-broker'), 'SIGKILL');
      expect((await child.exited).code).not.toBe(0);
      // By what the server has heard until then.
      expect(child.stderr()).toMatch(
        /The session was cut off: the ssh-broker was restarted|How the session ended.*bowline fleet order /,
      );
      expect((await copy.exited).code).not.toBe(0);
      await untilGone(pid);
      expect(await ssh.ended(sessionId)).toMatchObject({ end: 'cut-off', survivors: 0, rebooted: false });
      await nothingLeft();
      await waitFor(async () => {
        const [order] = (await ssh.fleet.api.orders(DEVICE_ID)).filter(({ type }) => type === 'sshAccess');
        return order?.status === 'failed' && order.error?.code === 'session-cut-off';
      });
      await ssh.fleet.untilOnline();
    });

    test('when the gateway is killed, the copy goes on to its end, and the end of the session is told later', async () => {
      const { child, remote, sessionId } = await copying('b.bin');
      process.kill(await pidOf('ws-gateway'), 'SIGKILL');
      expect((await child.exited).code).toBe(0);
      expect(readFileSync(remote).equals(content)).toBe(true);
      expect(await ssh.ended(sessionId)).toMatchObject({ end: 'ended-by-operator', survivors: 0 });
      await ssh.fleet.untilOnline();
    });

    test('when the server is killed, what runs goes on, the device comes back with its next token, and it can be ended', async () => {
      const { child, pid, sessionId } = await sleeping('c.pid');
      const copy = await copyingIn(await ssh.openConfig(sessionId), 'c.bin');
      await ssh.fleet.killServer();
      expect((await child.exited).code).not.toBe(0);
      expect((await copy.exited).code).not.toBe(0);
      expect(child.stderr()).toContain(`bowline fleet ssh-sessions end ${sessionId}`);
      await ssh.fleet.startServer();
      await waitFor(
        async () => (await ssh.sessions()).some((each) => each.sessionId === sessionId && each.ready),
        {
          what: 'the device to stand by again',
        },
      );
      expect(isRunning(pid)).toBe(true);
      expect(await ssh.bowline('ssh', DEVICE_ID, '--', 'true')).toMatchObject({
        code: 11,
        out: expect.stringContaining(`has a session already, ${sessionId}`),
      });
      expect((await ssh.bowline('fleet', 'ssh-sessions', 'end', sessionId)).code).toBe(0);
      await untilGone(pid);
      expect(await ssh.ended(sessionId)).toMatchObject({ end: 'ended-by-operator', survivors: 0 });
      await nothingLeft();
    });

    test('when the tunnel is cut, the copy says so, and the session goes on over the next socket until its end', async () => {
      const port = Number(new URL(ssh.fleet.operatorEnv.BOWLINE_SERVER).port);
      const proxy = await FaultProxy.start(port, seededRandom());
      await ssh.fleet.killServer();
      await ssh.fleet.startServer({ BOWLINE_FLEET_SERVER__PUBLIC_URL: `http://127.0.0.1:${proxy.port}` });
      await ssh.fleet.untilOnline();
      const { child, pid, sessionId } = await sleeping('d.pid');
      const config = await ssh.openConfig(sessionId);
      const copy = await copyingIn(config, 'd.bin');
      process.kill(child.pid, 'SIGSTOP'); // `bowline` would end the session when its ssh ends
      proxy.cut();
      expect((await copy.exited).code).not.toBe(0);
      expect(copy.stderr()).toContain('The connection to the server was lost');
      const again = ssh.run('ssh', '-F', config, DEVICE_ID, '--', `kill -0 ${pid} && echo still there`);
      expect(await again.exited).toMatchObject({ code: 0 });
      expect(again.stdout()).toContain('still there');
      process.kill(child.pid, 'SIGCONT');
      expect(await ssh.ended(sessionId)).toMatchObject({
        end: 'ended-by-operator',
        streams: 3,
        survivors: 0,
      });
      await untilGone(pid);
      await nothingLeft();
    });

    test('when three copies run at once in one session, all of them come whole', async () => {
      const holding = ssh.start('ssh', DEVICE_ID, '--streams', '4', '--', 'echo ready; sleep 600');
      await holding.output(/ready/);
      const [, sessionId = ''] = await holding.output(SESSION);
      const config = await ssh.openConfig(sessionId);
      const sizes = await Promise.all(
        [1, 2, 3].map(async (n) => {
          const copy = ssh.run(
            'sh',
            '-c',
            `ssh -F ${config} ${DEVICE_ID} -- cat ${ssh.file('up.bin')} > d${n}.bin`,
          );
          expect((await copy.exited).code).toBe(0);
          return readFileSync(ssh.file(`d${n}.bin`)).equals(content);
        }),
      );
      expect(sizes).toEqual([true, true, true]);
      expect((await ssh.bowline('fleet', 'ssh-sessions', 'end', sessionId)).code).toBe(0);
      expect(await ssh.ended(sessionId)).toMatchObject({ streams: 4, survivors: 0 });
    });
  },
);
