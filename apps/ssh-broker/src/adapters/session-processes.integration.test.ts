import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { ownCgroup, systemClock } from '@bowline/runtime';
import { FakeClock, isRunning, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { v7 as newId } from 'uuid';
import { expect, test } from 'vitest';
import { sessionProcesses } from './find-processes.ts';
import { cgroupGroups } from './session-group.ts';
import { endLeftovers, SessionProcesses } from './session-processes.ts';

const log = { debug: () => undefined, warn: () => undefined };

/** In place of sshd: leaves children behind in the ways that are tried to escape. */
function program(folder: string): string {
  const file = join(folder, 'sshd');
  const stay = (name: string) => `sh -c 'echo $$ > ${folder}/${name}.pid; exec sleep 1000'`;
  const script = `#!/bin/sh
setsid nohup ${stay('setsid')} >/dev/null 2>&1 &
(setsid ${stay('twice')} >/dev/null 2>&1 &)
exec sleep 1000
`;
  writeFileSync(file, script, { mode: 0o755 });
  return file;
}

const pidIn = (folder: string, name: string) =>
  waitFor(() => Number(readFileSync(join(folder, `${name}.pid`), 'utf8')), { what: `pid of ${name}` });

/** The dead are there until their parent has asked. */
const gone = (pids: number[]) => waitFor(() => !pids.some(isRunning), { what: `the end of ${pids}` });

async function running(base: string | undefined) {
  const folder = temporaryFolder();
  const groups = cgroupGroups(base);
  const sessionId = newId();
  const processes = new SessionProcesses(sessionId, groups, log);
  const sshd = processes.start(1, program(folder), '/dev/null');
  const pids = [sshd.pid ?? 0, await pidIn(folder, 'setsid'), await pidIn(folder, 'twice')];
  return { groups, sessionId, processes, pids };
}

test.each([
  ['no cgroup can be made', undefined],
  ['it has a cgroup where one can be made', ownCgroup()],
])('when %s, everything that a session started is found and ended, and 0 survive', async (_, base) => {
  const { processes, pids } = await running(base);
  expect(processes.pids()).toEqual(expect.arrayContaining(pids));
  expect(await processes.end(systemClock)).toBe(0);
  await gone(pids);
});

/** Not where this was started from a login, by another user than root. */
const audits =
  spawnSync('sh', ['-c', 'echo "$1" > /proc/self/loginuid', 'sh', String(userInfo().uid)]).status === 0;

test.runIf(audits)(
  'when no cgroup can be made, what has emptied its environment and left its parent is found by its audit session',
  async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'sshd');
    const hidden = `exec env -i setsid sh -c 'echo $$ > ${folder}/hidden.pid; exec sleep 1000'`;
    writeFileSync(file, `#!/bin/sh\n(${hidden} >/dev/null 2>&1 &)\nexec sleep 1000\n`, { mode: 0o755 });
    const processes = new SessionProcesses(newId(), cgroupGroups(undefined), log);
    const beside = startProcess('sleep', ['1000']);
    processes.start(1, file, '/dev/null');
    const pid = await pidIn(folder, 'hidden');
    await waitFor(() => processes.pids().includes(pid));
    expect(processes.pids()).not.toContain(beside.pid);
    expect(processes.pids()).not.toContain(process.pid);
    expect(await processes.end(systemClock)).toBe(0);
    await gone([pid]);
    expect(isRunning(beside.pid)).toBe(true);
  },
);

test('when no cgroup can be made, what an earlier life left behind is found by its mark alone', async () => {
  const { groups, sessionId, pids } = await running(undefined);
  const left = await endLeftovers([sessionId], [groups], systemClock);
  expect(left.killed).toBeGreaterThanOrEqual(pids.length);
  expect(left.survivors).toBe(0);
  await gone(pids);
});

test.each([
  ['no cgroup can be made', undefined],
  ['it has a cgroup where one can be made', ownCgroup()],
])('when %s and nobody ends a session in its time, it is ended all the same', async (_, base) => {
  const { processes, sessionId, pids } = await running(base);
  processes.endAtTheLatest(300);
  await gone(pids);
  await waitFor(() => sessionProcesses([sessionId]).length === 0, { what: 'the end of the last resort' });
  expect(await processes.end(systemClock)).toBe(0);
});

test('when the device has slept past the time of a session that nobody ends, it is ended once the device wakes', async () => {
  const { processes, pids } = await running(undefined);
  const uptime = join(temporaryFolder(), 'uptime');
  writeFileSync(uptime, '100.08 50.00\n');
  processes.endAtTheLatest(3_600_000, uptime);
  await waitFor(() => processes.pids().length >= pids.length + 2, { what: 'its shell and its sleep' });
  writeFileSync(uptime, '3700.08 50.00\n');
  await gone(pids);
});

test('when the time since boot cannot be read, the last resort counts its sleeps', async () => {
  const { processes, pids } = await running(undefined);
  processes.endAtTheLatest(300, join(temporaryFolder(), 'none'));
  await gone(pids);
});

test('when a session is ended in its time, its last resort is gone with it', async () => {
  const { processes, sessionId } = await running(undefined);
  processes.endAtTheLatest(600_000);
  await waitFor(() => processes.pids().length >= 5, { what: 'its shell and its sleep' });
  expect(await processes.end(systemClock)).toBe(0);
  await waitFor(() => sessionProcesses([sessionId]).length === 0);
});

test('when a session ends, sshd is asked before it is killed, so that it takes its sockets along', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'sshd');
  const asked = `trap 'echo asked > ${folder}/asked; exit' TERM; echo on > ${folder}/on`;
  writeFileSync(file, `#!/bin/sh\n${asked}\nwhile :; do sleep 0.01; done\n`, { mode: 0o755 });
  const processes = new SessionProcesses(newId(), cgroupGroups(ownCgroup()), log);
  processes.start(1, file, '/dev/null');
  await waitFor(() => existsSync(join(folder, 'on')));
  const clock = new FakeClock();
  const ended = processes.end(clock);
  await waitFor(() => readFileSync(join(folder, 'asked'), 'utf8') === 'asked\n', { what: 'it to be asked' });
  let survivors: number | undefined;
  void ended.then((left) => (survivors = left));
  await waitFor(async () => {
    await clock.advance(20);
    return survivors !== undefined;
  });
  expect(survivors).toBe(0);
});
