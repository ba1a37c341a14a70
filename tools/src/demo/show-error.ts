import { DemoError } from './demo-error.ts';

/** One sentence and what to do; a stack only for what is a fault of ours. */
export function show(error: unknown): void {
  if (error instanceof DemoError) console.error(`${error.message}\n${error.advice}`);
  // Of pm2 (its name is all that is known here before node_modules is): its own words, and where more of them are.
  else if (error instanceof Error && 'code' in error && String(error.code).startsWith('pm2-')) {
    console.error(`${error.message}.\nRead .bowline/logs, and run npm stop if something still runs.`);
  } else console.error(error);
}
