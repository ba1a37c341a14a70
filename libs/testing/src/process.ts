import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { processStat } from '@bowline/runtime';
import { afterThisFile } from './clean-up.ts';
import { waitFor, type WaitOptions } from './wait-for.ts';

export interface ProcessOptions {
  cwd?: string;
  /** The whole environment of the child, but for NODE_COMPILE_CACHE; default: the test's own. */
  env?: NodeJS.ProcessEnv;
  /** Leads a process group, and signals go to the whole of it, as a terminal's Ctrl-C does. Default false. */
  group?: boolean;
}

export interface TestProcess {
  readonly pid: number;
  /** Everything that it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves when it has ended and its output is complete. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Waits until stdout and stderr together match; ends early with an error when the process ends without. */
  output(pattern: RegExp, options?: WaitOptions): Promise<RegExpMatchArray>;
  /** Sends a signal (default SIGKILL) to this process alone and waits for its end. */
  kill(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a child process whose output is kept. If it still runs after the last test of the file, it is killed. */
export function startProcess(
  command: string,
  args: string[] = [],
  { cwd, env, group = false }: ProcessOptions = {},
): TestProcess {
  const child = spawn(command, args, {
    cwd,
    // Whatever else it is to know: what one Node has compiled, the next need not (tools/vitest.config.ts).
    env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...(env ?? process.env) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: group,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));

  let ended = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  exited.catch(() => undefined);
  if (child.pid === undefined) throw new Error(`cannot start ${command}`);
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    if (group) signalGroup(child.pid, signal);
    else child.kill(signal);
    return exited;
  };
  afterThisFile(async () => void (await kill()));

  return {
    pid: child.pid,
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    async output(pattern, options) {
      const match = await waitFor(() => (stdout + stderr).match(pattern) ?? (ended && 'ended'), {
        what: `${command} to write ${pattern}`,
        ...options,
      });
      if (match === 'ended')
        throw new Error(`${command} ended without writing ${pattern}:\n${stdout}${stderr}`);
      return match;
    },
    kill,
  };
}

function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (leader !== undefined) process.kill(-leader, signal);
  } catch {
    // all of it has ended already
  }
}

/** Whether a process with this pid exists and is not just a zombie that waits for its parent. */
export function isRunning(pid: number): boolean {
  try {
    return !processStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).hasEnded;
  } catch {
    return false;
  }
}
