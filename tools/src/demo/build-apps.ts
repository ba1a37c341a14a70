import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';
import type { DemoLayout } from './layout.ts';
import { markOf } from './marked-processes.ts';

const SHOWN_LINES = 30;

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
      const advice = 'Mend what it names below; npx nx run-many -t build shows it again.';
      reject(new DemoError('The build failed.', `${advice}\n\n${failureIn(`${stdout}${stderr}`)}`, error));
    });
  });
}

/** Nx prints what each task said, one after the other, and at the end which tasks failed: what the first of them said. */
function failureIn(output: string): string {
  const failed = /Failed tasks:\s+- (\S+)/.exec(output)?.[1];
  const said = output
    .split(/^> nx run /m)
    .find((part) => failed !== undefined && part.startsWith(`${failed}\n`));
  const lines = (said ?? output).trim().split('\n');
  return said === undefined ? lines.slice(-SHOWN_LINES).join('\n') : lines.slice(0, SHOWN_LINES).join('\n');
}
