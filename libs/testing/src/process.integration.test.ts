import { expect, test } from 'vitest';
import { cleanUp } from './clean-up.ts';
import { isRunning, startProcess } from './process.ts';
import { waitFor } from './wait-for.ts';

const node = (code: string) => startProcess(process.execPath, ['-e', code]);

test('when a process writes and ends, its output and exit code are kept', async () => {
  const child = node(`console.log('out'); console.error('err'); process.exitCode = 3`);
  expect(await child.exited).toEqual({ code: 3, signal: null });
  expect({ out: child.stdout(), err: child.stderr() }).toEqual({ out: 'out\n', err: 'err\n' });
});

test('when its output is awaited, it is found while the process still runs, and a kill ends it', async () => {
  const child = node(`console.log('port 1234'); setInterval(() => {}, 1000)`);
  const [, port] = await child.output(/port (\d+)/);
  expect({ port, running: isRunning(child.pid) }).toEqual({ port: '1234', running: true });
  expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(isRunning(child.pid)).toBe(false);
});

test('when the process ends without the awaited output, the error shows what it wrote', async () => {
  const child = node(`console.error('no such file')`);
  await expect(child.output(/ready/)).rejects.toThrow('no such file');
});

test('when the program does not exist, starting it throws', () => {
  expect(() => startProcess('/no/such/program')).toThrow('cannot start /no/such/program');
});

test('when the file cleans up, what still runs is killed', async () => {
  const child = node(`console.log('up'); setInterval(() => {}, 1000)`);
  await child.output(/up/);
  await cleanUp();
  expect(isRunning(child.pid)).toBe(false);
});

test('when it leads a group, a signal reaches its children as well', async () => {
  const script = 'sleep 1000 & echo "child $!"; trap "" INT; wait';
  const shell = startProcess('bash', ['-c', script], { group: true });
  const [, child] = await shell.output(/child (\d+)/);
  expect(isRunning(Number(child))).toBe(true);
  await shell.kill('SIGTERM');
  await waitFor(() => !isRunning(Number(child)));
});
