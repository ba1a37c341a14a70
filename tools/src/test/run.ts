import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

export const WORKSPACE = resolve(import.meta.dirname, '../../..');

/** Where every Node that builds or tests keeps what it has compiled, for the next one; keyed by version and content. */
export const COMPILED = join(WORKSPACE, 'node_modules/.cache/node-compiled');

/** The workspace's own programs first; Nx without a daemon that outlives it and without a screen that redraws itself. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    NX_DAEMON: 'false',
    NX_TUI: 'false',
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? COMPILED,
    PATH: `${join(WORKSPACE, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
  };
}

/** Runs a program of the workspace with its output on ours. Resolves with whether all went well. */
export const run = async (program: string, args: string[], cwd: string): Promise<boolean> =>
  (await exitCodeOf(program, args, cwd)) === 0;

/** As {@link run}, but resolves with the exit code; undefined if it could not be started or was killed. */
export function exitCodeOf(program: string, args: string[], cwd: string): Promise<number | undefined> {
  return new Promise((done) => {
    const child = spawn(program, args, {
      cwd,
      env: toolEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', () => done(undefined));
    child.once('close', (code) => done(code ?? undefined));
  });
}
