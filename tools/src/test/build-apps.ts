import { run, WORKSPACE } from './run.ts';

/** Builds apps and generates what they, and the tools beside them, are made of; as far as Nx has not kept it. */
export function buildApps(apps: readonly string[]): Promise<boolean> {
  const projects = apps.map((app) => `@bowline/${app}`).join(',');
  return run('nx', ['run-many', '-t', 'build', '-p', projects, '--output-style=static'], WORKSPACE);
}
