/**
 * `npm start`: the reference server and one device under pm2, from a fresh checkout to a connected device.
 *
 * Nothing from node_modules is imported before it is known to be whole.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DemoError } from './demo-error.ts';
import { DEFAULT_PORT, demoLayout, makePrivateFolder } from './layout.ts';
import { checkNodeModules, checkWritable, pinnedRuntime } from './preflight.ts';
import { show } from './show-error.ts';

const USAGE = `npm start [-- --port N] [-- --no-build]

  --port N     port of the server on 127.0.0.1 (default ${DEFAULT_PORT})
  --no-build   start what is built`;

/** As a shell reports a program that Ctrl-C ended. */
const EXIT_CALLED_OFF = 130;

const calledOff = new AbortController();
try {
  process.exitCode = await main();
} catch (error) {
  if (!calledOff.signal.aborted) show(error);
  process.exitCode = calledOff.signal.aborted ? EXIT_CALLED_OFF : 1;
}

async function main(): Promise<number> {
  const startedAt = performance.now();
  const options = readArguments();
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const checkout = resolve(import.meta.dirname, '../../..');
  checkNodeModules(checkout);
  pinnedRuntime(checkout);
  const layout = demoLayout(checkout);
  checkWritable(layout.home);
  makePrivateFolder(layout.runDir);

  const { startDemo } = await import('./start-demo.ts');
  const { endRun } = await import('./end-run.ts');
  const { report } = await import('./report.ts');
  endOnSignal(() => endRun(layout));
  const { signal } = calledOff;
  const demo = await startDemo(layout, { ...options, signal, say: (line) => console.log(`… ${line}`) });
  console.log(`\n${report(demo, performance.now() - startedAt)}`);
  return 0;
}

function readArguments(): { port: number; build: boolean } | undefined {
  const help = 'Run: npm start -- --help';
  let values;
  try {
    ({ values } = parseArgs({
      allowNegative: true,
      options: { port: { type: 'string' }, build: { type: 'boolean' }, help: { type: 'boolean' } },
    }));
  } catch (error) {
    throw new DemoError(error instanceof Error ? `${error.message}.` : String(error), help, error);
  }
  if (values.help === true) return undefined;
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new DemoError(`--port must be a number from 1 to 65535, not "${values.port ?? ''}".`, help);
  }
  return { port, build: values.build ?? true };
}

/** Ctrl-C in the middle leaves nothing behind: what is under way fails, since its processes are ended. */
function endOnSignal(end: () => Promise<unknown>): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (calledOff.signal.aborted) return;
      calledOff.abort();
      console.error('\nCalled off: ending what was started.');
      void end().finally(() => process.exit(EXIT_CALLED_OFF));
    });
  }
}
