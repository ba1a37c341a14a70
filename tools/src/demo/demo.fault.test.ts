import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive } from '@bowline/pm2';
import { endRun, pm2In } from './end-run.ts';
import { freePort, killByPid, waitFor } from '@bowline/testing';
import { ended, FakeCheckout } from './testing/fake-checkout.ts';

const PROCESSES = 7;

let checkout: FakeCheckout;
let port: string;

beforeEach(async () => {
  checkout = new FakeCheckout();
  port = String(await freePort());
});
afterEach(() => checkout.dispose());

/** A start that hangs: one app never says that it is ready. */
async function hangingStart() {
  checkout.ask('ssh-broker', 'mute');
  const start = checkout.launch('start.ts', ['--no-build', '--port', port]);
  await waitFor(() => checkout.processes().length >= PROCESSES, { what: 'all processes are there' });
  return start;
}

test('when a start is killed in the middle, the next one ends what it left and runs', async () => {
  const start = await hangingStart();
  start.kill('SIGKILL');
  await ended(start);
  const left = checkout.processes();
  expect(left.length).toBeGreaterThanOrEqual(PROCESSES);
  checkout.askNoMore('ssh-broker', 'mute');

  const { code, output } = await checkout.start(['--port', port]);

  expect(output).toContain('ended what an earlier run had left behind');
  expect(code).toBe(0);
  expect(left.filter(isAlive)).toEqual([]);
  expect(checkout.processes().length).toBe(PROCESSES);
});

test('when a start is called off, nothing is left', async () => {
  const start = await hangingStart();
  const pids = checkout.processes();
  const end = ended(start);
  start.kill('SIGINT');

  expect((await end).code).toBe(130);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(checkout.processes()).toEqual([]);
  expect(existsSync(checkout.layout.runDir)).toBe(false);
});

test('when the daemon is killed and its apps live on, the next start ends them by their pids', async () => {
  for (const app of ['ws-gateway', 'telemetry-collector']) checkout.ask(app, 'deaf');
  await checkout.start(['--port', port]);
  const deaf = ['ws-gateway', 'telemetry-collector'].map((app) => checkout.pidOf(app));
  killByPid(pm2In(checkout.layout.runDir).daemonPid(), 'SIGKILL');
  await waitFor(() => checkout.processes().length === deaf.length, { what: 'only the deaf apps are left' });

  expect((await checkout.start(['--port', port])).code).toBe(0);

  expect(deaf.filter(isAlive)).toEqual([]);
  expect(checkout.processes().length).toBe(PROCESSES);
});

test('when the daemon is killed, a stop ends its apps all the same', async () => {
  checkout.ask('ws-gateway', 'deaf');
  await checkout.start(['--port', port]);
  killByPid(pm2In(checkout.layout.runDir).daemonPid(), 'SIGKILL');

  expect((await checkout.stop()).code).toBe(0);
  expect(checkout.processes()).toEqual([]);
});

test('when the daemon hangs, the end of the run ends it and its apps by their pids', async () => {
  await checkout.start(['--port', port]);
  const pids = checkout.processes();
  killByPid(pm2In(checkout.layout.runDir).daemonPid(), 'SIGSTOP');

  await endRun(checkout.layout, { daemonMs: 1000, appsMs: 500 });

  expect(pids.filter(isAlive)).toEqual([]);
});

test('when two starts meet, one starts and the other steps back', async () => {
  const both = await Promise.all([checkout.start(['--port', port]), checkout.start(['--port', port])]);

  // One that comes so late that the other is done finds it running, and that is no failure either.
  const loser = both.find(({ output }) =>
    /Another npm start or npm stop is at work|runs already/.test(output),
  );
  expect(loser).toBeDefined();
  expect(both.find((each) => each !== loser)).toMatchObject({ code: 0 });
  expect(checkout.processes().length).toBe(PROCESSES);
});
