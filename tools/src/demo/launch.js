/**
 * `npm start` and `npm stop`: plain JavaScript for whatever Node the machine has, so that a checkout without its
 * dependencies gets a sentence and not a stack trace. The rest runs on the pinned Node.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [command, ...args] = process.argv.slice(2);
const script = fileURLToPath(new URL(command === 'stop' ? 'stop.ts' : 'start.ts', import.meta.url));
const runtime = fileURLToPath(
  new URL(`../../../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
);

if (existsSync(runtime)) {
  const child = spawn(runtime, [script, ...args], { stdio: 'inherit' });
  // The terminal sends its signals to both; others (kill) reach only this process and are passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code ?? 1));
} else if (process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)) {
  fail('The dependencies are not installed.\nRun: npm ci');
} else {
  fail(`The demo runs on Linux on x64 and arm64; this is ${process.platform} on ${process.arch}.`);
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = 1;
}
