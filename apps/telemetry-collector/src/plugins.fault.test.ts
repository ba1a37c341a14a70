import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TransientError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCollector } from './testing/running-collector.ts';
import { openTestGateway, TestStore, type TestGateway } from './testing/test-gateway.ts';

let folder: string;
let store: TestStore;
let gateway: TestGateway;
let collectors: TestProcess[];

beforeEach(async () => {
  folder = temporaryFolder();
  store = new TestStore();
  collectors = [];
  gateway = await openTestGateway(join(folder, 'hub'), { store });
});
afterEach(async () => {
  await Promise.all(collectors.map((child) => child.kill('SIGTERM')));
  await gateway.close();
});

/** A plug-in in the shell's language, and a collector that has it. */
function startWith(script: string, ...flags: string[]): TestProcess {
  const file = join(folder, 'plugin.sh');
  writeFileSync(file, `#!/bin/sh\ncd '${folder}'\n${script}\n`);
  chmodSync(file, 0o755);
  const plugins = { sensor: { command: [file], env: { ROOM: 'kitchen' } } };
  const child = startCollector(folder, `--plugins=${JSON.stringify(plugins)}`, ...flags);
  collectors.push(child);
  return child;
}
const values = (series: string) =>
  store.samples.filter((sample) => sample.series === series).map(({ value }) => value);
const pidIn = (name: string) =>
  waitFor(() => existsSync(join(folder, name)) && Number(readFileSync(join(folder, name), 'utf8')));
/** A process that has ended and was not waited for by whoever adopted it has no command line. */
const lives = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
};

describe('source plug-ins', () => {
  test('when one prints samples and events, they arrive, and what it gets of the environment is its own', async () => {
    startWith(`
      echo '{"series":"room","value":"'$ROOM'"}'
      echo '{"kind":"plugin.ready"}'
      env > environment
      exec sleep 1000`);
    await waitFor(
      () => store.events.some(({ kind }) => kind === 'plugin.ready') && values('room').length > 0,
    );
    expect(values('room')).toEqual(['kitchen']);
    expect(readFileSync(join(folder, 'environment'), 'utf8')).not.toMatch(/BOWLINE/);
  });

  test('when one crashes, it is started again, ever more rarely', async () => {
    const child = startWith(`echo '{"series":"life","value":1}'; exit 3`);
    await waitFor(() => values('life').length >= 3, { what: 'three lives' });
    const delays = [...child.stdout().matchAll(/exit code 3.*?"delayMs":(\d+)/g)].map(([, ms]) => Number(ms));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
  });

  test('when one prints nonsense, that is said once, and the rest is taken', async () => {
    const child = startWith(`
      echo 'hello'; echo '{"series":"a b","value":1}'; head -c 100000 /dev/zero | tr '\\\\0' x; echo
      echo 'on standard error' >&2
      echo '{"series":"after","value":1}'
      exec sleep 1000`);
    await waitFor(() => values('after').length > 0);
    await child.output(/on standard error/);
    expect(child.stdout().match(/lines of a plug-in were not taken/g)).toHaveLength(1);
  });

  test('when one floods its standard error, so much of it is logged, and what it measures is taken', async () => {
    const child = startWith(`
      head -c 200000 /dev/zero | tr '\\0' '\\n' | sed 's/^/oops/' >&2
      echo '{"series":"after","value":1}'
      exec sleep 1000`);
    await waitFor(() => values('after').length > 0);
    await child.output(/says too much/);
    expect(child.stdout().match(/oops/g)?.length).toBe(100);
  });

  test('when one is not there, it is said, and the others and the collector go on', async () => {
    const plugins = {
      absent: { command: ['/nowhere/plugin'] },
      there: { command: ['sh', '-c', `echo '{"series":"there","value":1}'; exec sleep 1000`] },
    };
    const child = startCollector(folder, `--plugins=${JSON.stringify(plugins)}`);
    collectors.push(child);
    await waitFor(() => values('there').length > 0);
    await child.output(/ENOENT/);
  });

  test('when one is too fast, it is made to wait, and nothing of it is lost', async () => {
    startWith(
      `n=0; while [ $n -lt 300 ]; do n=$((n + 1)); echo '{"series":"fast","value":'$n'}'; done; exec sleep 1000`,
      '--ingest.samplesPerSecond=200',
      '--ingest.burstSamples=10',
    );
    await waitFor(() => values('fast').length === 300, { what: 'all of them' });
    expect(values('fast')).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
  });

  test('when the gateway has an event and does not say so in time, what is handed in again is the same event', async () => {
    let isSlow = true;
    await gateway.close();
    gateway = await openTestGateway(join(folder, 'hub'), {
      store,
      accept: (request) => {
        if (!isSlow || !request.messages.some(({ type }) => type === 'event')) return;
        store.store(request);
        throw new TransientError('busy', 'stored, and not said');
      },
    });
    const child = startWith(
      `echo '{"kind":"plugin.once"}'; exec sleep 1000`,
      '--ingest.durableWithinMs=1000',
      '--ingest.eventsPerSecond=100',
    );
    await waitFor(() => store.events.length >= 2, { what: 'it to be handed in again' });
    isSlow = false;
    const stored = store.events.length;
    await waitFor(() => store.events.length > stored, { what: 'it to be taken' });
    await child.kill('SIGTERM');
    expect(new Set(store.eventIds).size).toBe(1);
    expect(new Set(store.events.map(({ at }) => at)).size).toBe(1);
  });

  test('when the collector stops, the last words are taken, and the whole group ends, also what ignores being asked', async () => {
    const child = startWith(`
      (trap '' TERM; echo $$ > /dev/null; sh -c 'echo $PPID > stubborn'; while :; do sleep 1; done) &
      trap 'echo "{\\"series\\":\\"last\\",\\"value\\":1}"; exit 0' TERM
      echo $$ > leader
      while :; do sleep 0.1; done`);
    const pids = [await pidIn('leader'), await pidIn('stubborn')];
    await child.kill('SIGTERM');
    expect(values('last')).toEqual([1]);
    await waitFor(() => !pids.some(lives), { what: 'the group to be gone' });
  });

  test('when the collector is killed, its next life ends the plug-in that was left and starts its own', async () => {
    const script = `echo $$ > leader; trap '' PIPE; while :; do sleep 0.1; done`;
    const first = startWith(script);
    const left = await pidIn('leader');
    // Only then is it on the disk.
    await first.output(/plug-in started/);
    await first.kill('SIGKILL');
    expect(lives(left)).toBe(true);
    const second = startWith(script);
    await second.output(/plug-ins of an earlier life were ended/);
    await waitFor(() => !lives(left), { what: 'the left one to be gone' });
    await waitFor(async () => (await pidIn('leader')) !== left);
  });
});
