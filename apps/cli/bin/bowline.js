#!/usr/bin/env node
/**
 * Starts the bundled program on the pinned Node, whatever `node` the machine has: plain JavaScript that Node 20 reads.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const LOWEST_NODE = 24;
const EXIT_NOT_BUILT = 70;

const here = dirname(fileURLToPath(import.meta.url));
const program = resolve(here, '../dist/main.js');

if (!existsSync(program)) {
  fail(`bowline is not built yet (${program} is missing). Run: npx nx run @bowline/cli:build`);
} else if (Number(process.versions.node.split('.')[0]) >= LOWEST_NODE) {
  await import(pathToFileURL(program).href);
} else {
  const runtime = pinnedNode();
  if (runtime === undefined) {
    fail(
      `bowline needs Node ${LOWEST_NODE} or newer and found ${process.version}. Run: npm ci (it installs one of its own)`,
    );
  } else {
    runOn(runtime);
  }
}

function pinnedNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`);
    const file = join(dirname(manifest), 'bin', 'node');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

function runOn(runtime) {
  const child = spawn(runtime, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  // The terminal sends its signals to both; others (kill) reach only this process and are passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(`cannot start ${runtime}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = EXIT_NOT_BUILT;
}
