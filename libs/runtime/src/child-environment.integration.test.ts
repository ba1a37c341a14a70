import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unrestricted } from './child-environment.ts';

const SOURCE = join(import.meta.dirname, 'child-environment.ts');

test('when a process with limits starts a program without them, Node hands none of them on', () => {
  const script = `
    import { execFileSync } from 'node:child_process';
    import { unrestricted } from ${JSON.stringify(SOURCE)};
    const options = { env: { PATH: process.env.PATH }, encoding: 'utf8' };
    const [program, args] = unrestricted('/usr/bin/printenv', ['NODE_OPTIONS']);
    let free = '';
    try { free = execFileSync(program, args, options); } catch {}
    console.log(JSON.stringify({ free, bound: execFileSync('/usr/bin/printenv', ['NODE_OPTIONS'], options) }));`;
  const args = ['--permission', '--allow-fs-read=*', '--allow-child-process', '--input-type=module'];
  const output = execFileSync(process.execPath, [...args, '-e', script], { encoding: 'utf8' });
  const { free, bound } = JSON.parse(output) as { free: string; bound: string };
  expect(bound).toContain('--permission');
  expect(free).toBe('');
});

test('when there are no limits, the program is started as it is', () => {
  expect(unrestricted('/bin/true', ['a'])).toEqual(['/bin/true', ['a']]);
});
