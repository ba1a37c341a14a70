import { runProgram } from '../adapters/run-program.ts';
import type { PlannedRelease } from '../core/update-state.ts';

type Probe = NonNullable<PlannedRelease['probe']>;
const SAID_CHARS = 300;

/** Asks a release whether it is well, as its manifest says. @returns why not; undefined: it is. */
export async function askProbe(
  { command, http }: Probe,
  { tree, timeoutMs, signal }: { tree: string; timeoutMs: number; signal: AbortSignal },
): Promise<string | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const [program, ...args] = command ?? [];
  if (program !== undefined) {
    const path = program.includes('/') ? program : `./${program}`;
    const { code, said, why } = await runProgram(path, args, { cwd: tree, signal: until });
    const text = said.trim().slice(-SAID_CHARS);
    if (code !== 0) return `${program} ${why ?? `ended with ${code}`}${text === '' ? '' : `: ${text}`}`;
  }
  return http === undefined ? undefined : askHttp(http, until);
}

async function askHttp(url: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal, redirect: 'manual' });
    await response.body?.cancel();
    return response.ok ? undefined : `${url} answered ${response.status}`;
  } catch (error) {
    const { cause } = error as Error;
    return `${url}: ${cause instanceof Error ? cause.message : (error as Error).message}`;
  }
}
