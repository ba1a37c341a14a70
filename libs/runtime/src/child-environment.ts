/** What a program needs to find others and to speak the person's language; nothing else of ours is its business. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];

/**
 * The environment for a program that an app starts: without the app's settings, without what pm2 adds. Under the
 * permission model Node itself still adds NODE_OPTIONS with the app's own limits, for children that are Node
 * (docs/security.md).
 */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/**
 * How to start a program that is to run without this process's own limits: under the permission model Node adds them to
 * whatever environment a child is given (docs/adr/0013).
 *
 * @returns program and arguments for `spawn`.
 */
export function unrestricted(program: string, args: readonly string[]): [string, string[]] {
  if (process.permission === undefined) return [program, [...args]];
  return ['/usr/bin/env', ['-u', 'NODE_OPTIONS', program, ...args]];
}
