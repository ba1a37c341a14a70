import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import { AGENT_VERSION } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { isRunning, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, 'main.ts');

let folder: string;
let hubFolder: string;
let gateway: TestGateway | undefined;
let children: TestProcess[];

beforeEach(() => {
  folder = temporaryFolder();
  hubFolder = join(folder, 'hub');
  gateway = undefined;
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await gateway?.close();
});

const environment = () => ({
  PATH: process.env['PATH'],
  BOWLINE_SSH_BROKER__STATE_DIR: join(folder, 'state'),
  BOWLINE_SSH_BROKER__HUB_FOLDER: hubFolder,
  BOWLINE_SSH_BROKER__POLICY_FILE: join(folder, 'policy.json'),
  BOWLINE_SSH_BROKER__TRUST_ANCHOR_FILE: join(folder, 'trust-anchor.json'),
});
function startBroker(sshdPath = '/nonexistent/sshd'): TestProcess {
  const child = startProcess(process.execPath, [MAIN, `--sshdPath=${sshdPath}`], { env: environment() });
  children.push(child);
  return child;
}

describe('ssh-broker as a process', () => {
  test('when it starts, it says what sshd there is, once for a boot and sshd', async () => {
    gateway = await openTestGateway(hubFolder);
    const sshd = join(folder, 'sshd');
    const first = startBroker(sshd);
    await first.output(/"reported":true/);
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    const second = startBroker(sshd);
    await second.output(/"reported":false/);
    await second.kill('SIGTERM');
    writeFileSync(sshd, '#!/bin/sh\necho OpenSSH_9.2p1\n', { mode: 0o700 });
    const third = startBroker(sshd);
    await third.output(/"reported":true/);
    expect(gateway.events.map(({ event }) => event)).toMatchObject([
      { kind: 'ssh.ready', data: { version: AGENT_VERSION, sshd: 'absent' } },
      { kind: 'ssh.ready', data: { version: AGENT_VERSION, sshd, sshdVersion: 'OpenSSH_9.2p1' } },
    ]);
  });

  test('when sessions left something behind, it is gone before the app is ready', async () => {
    const leftover = join(folder, 'state', 'run', 'session-1');
    mkdirSync(leftover, { recursive: true, mode: 0o700 });
    const child = fork(MAIN, { env: environment(), stdio: 'ignore' });
    try {
      await once(child, 'message');
      expect(existsSync(leftover)).toBe(false);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('when it is killed before the report was accepted, it is repeated with the same id', async () => {
    gateway = await openTestGateway(hubFolder, { accept: () => new Promise(() => {}) });
    const first = startBroker();
    await waitFor(() => gateway?.events.length);
    await first.kill('SIGKILL');
    const [cutOff] = gateway.events;
    await gateway.close();
    gateway = await openTestGateway(hubFolder);
    const second = startBroker();
    await second.output(/"reported":true/);
    expect(gateway.events.map(({ id }) => id)).toEqual([cutOff?.id]);
  });

  test('when the disk of the gateway is full, the report waits until it has room', async () => {
    let full = true;
    gateway = await openTestGateway(hubFolder, {
      accept: () => (full ? Promise.reject(new RejectedError('disk-full', 'full')) : Promise.resolve()),
    });
    const child = startBroker();
    await waitFor(() => gateway?.events.length);
    full = false;
    await child.output(/"reported":true/);
  });

  test('when it registers, it takes orders of its type', async () => {
    gateway = await openTestGateway(hubFolder);
    startBroker();
    const peer = await waitFor(() => gateway?.peers()[0]);
    expect(peer).toMatchObject({ app: 'ssh-broker', version: AGENT_VERSION, orderTypes: ['sshAccess'] });
  });

  test('when the gateway is away, the app is ready all the same', async () => {
    const child = fork(MAIN, { env: environment(), stdio: 'ignore' });
    try {
      expect(await once(child, 'message')).toEqual(['ready', undefined]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('when it gets SIGTERM while the gateway is away, it ends with exit code 0', async () => {
    const child = startBroker();
    await child.output(/starting/);
    await waitFor(() => readFileSync(join(folder, 'state', 'reported.json'), 'utf8'));
    expect(await child.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('when the folder of sessions is open to others, it stays up and says so', async () => {
    const run = join(folder, 'state', 'run');
    mkdirSync(run, { recursive: true });
    chmodSync(run, 0o777);
    const child = startBroker();
    await child.output(/run-folder-unsafe/);
    expect(isRunning(child.pid)).toBe(true);
  });
});
