import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';
import type { DemoLayout } from './layout.ts';
import { markOf } from './marked-processes.ts';

const LAST_LINES = 25;

/** Builds the apps that the demo runs, as far as Nx's cache does not hold them already. */
export function buildApps({ checkout, runDir }: DemoLayout, apps: readonly string[]): Promise<void> {
  const bin = join(checkout, 'node_modules', '.bin');
  const projects = apps.map((app) => `@bowline/${app}`).join(',');
  const env = {
    ...process.env,
    ...markOf(runDir),
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    // No daemon of Nx stays behind; its plugins need no processes of their own for so small a graph.
    NX_DAEMON: 'false',
    NX_ISOLATE_PLUGINS: 'false',
    NX_TUI: 'false',
    FORCE_COLOR: '0',
  };
  const args = ['run-many', '-t', 'build', '-p', projects, '--output-style=static'];
  return new Promise((resolve, reject) => {
    execFile(join(bin, 'nx'), args, { cwd: checkout, env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const said = `${stdout}${stderr}`.trimEnd().split('\n').slice(-LAST_LINES).join('\n');
      reject(
        new DemoError(
          'The build failed.',
          `Mend what it names below; npx nx run-many -t build shows it again.\n\n${said}`,
          error,
        ),
      );
    });
  });
}
