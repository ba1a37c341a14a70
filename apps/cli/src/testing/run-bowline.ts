import { resolve } from 'node:path';
import { startProcess, type TestProcess } from '@bowline/testing';

const MAIN = resolve(import.meta.dirname, '../main.ts');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Options {
  cwd?: string;
  env?: Record<string, string>;
  /** The file that is its standard input. */
  input?: string;
}

/** The real program, from source, in a process of its own. */
export const startBowline = (
  args: string[],
  { cwd = '/', env = {}, input = '/dev/null' }: Options = {},
): TestProcess =>
  startProcess('sh', ['-c', 'exec "$@" <"$0"', input, process.execPath, MAIN, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NO_COLOR: '1', ...env },
  });

export async function bowline(args: string[], options: Options = {}): Promise<Ended> {
  const child = startBowline(args, options);
  const { code } = await child.exited;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}
