import { spawn } from 'node:child_process';
import { childEnvironment, unrestricted } from '@bowline/runtime';

export interface ProgramEnd {
  /** undefined: it could not be started, or was ended by us. */
  code: number | undefined;
  stdout: string;
  /** What it wrote last, on either stream. */
  said: string;
  /** Why there is no code. */
  why?: string;
}

const KEPT_CHARS = 16 * 1024;
/** So long what it said may still be on its way after its end. */
const DRAIN_MS = 500;

/**
 * Runs a program in a process group of its own, which ends with it: what it leaves behind, or hangs, must not stay. What it has
 * started in a session of its own stays, as a service would, and its streams are not waited for.
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd, signal, env = {} }: { cwd: string; signal: AbortSignal; env?: Record<string, string> },
): Promise<ProgramEnd> {
  return new Promise((resolve) => {
    const [file, argv] = unrestricted(program, args);
    const child = spawn(file, argv, {
      cwd,
      env: { ...childEnvironment(), ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(0, KEPT_CHARS);
      said = (said + text).slice(-KEPT_CHARS);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-KEPT_CHARS)));
    const end = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it has ended already
      }
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    child.once('error', (error) =>
      resolve({ code: undefined, stdout, said, why: `cannot be started: ${error.message}` }),
    );
    // What it left behind may hold its streams open.
    let drained: NodeJS.Timeout | undefined;
    child.once('exit', () => {
      end();
      drained = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, DRAIN_MS);
    });
    child.once('close', (code) => {
      clearTimeout(drained);
      signal.removeEventListener('abort', end);
      resolve(
        code === null
          ? { code: undefined, stdout, said, why: 'did not end in time' }
          : { code, stdout, said },
      );
    });
  });
}
