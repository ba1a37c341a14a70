import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'bl-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const APP = `
import { Ajv2020 } from ${JSON.stringify(import.meta.resolve('ajv/dist/2020.js'))};
import { writeFileSync } from 'node:fs';
import { runApp } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
import { ConfigError } from ${JSON.stringify(join(import.meta.dirname, 'errors.ts'))};
const schema = { type: 'object', required: ['mode'], properties: { mode: { type: 'string' } }, additionalProperties: false };
await runApp({
  app: 'sample', version: '1', stopTimeoutMs: 300, validateConfig: new Ajv2020().compile(schema),
  async start({ config, log, ready }) {
    setInterval(() => {}, 1000);
    if (config.mode === 'late') {
      writeFileSync(process.argv.at(-1), '{"mode":"well"}');
      throw new ConfigError('config-invalid', 'read before it was written');
    }
    ready();
    if (config.mode === 'bug') setTimeout(() => { throw new Error('a bug'); }, 20);
    return { stop: () => config.mode === 'stuck' ? new Promise(() => {}) : Promise.resolve(log.info('handed over')) };
  },
});`;

/** The app as a child of a process manager that listens for its ready signal. */
function start(config: unknown) {
  const main = join(folder, 'sample.ts');
  const file = join(folder, `${Math.random()}.json`);
  writeFileSync(main, APP);
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  const child = fork(main, ['--config', file], { silent: true, execPath: process.execPath });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ready = new Promise<void>((resolve) => child.once('message', () => resolve()));
  // Not its event `close`: that never comes once the channel was closed from here.
  const read = [child.stdout, child.stderr].map(
    (stream) => new Promise<void>((resolve) => stream?.once('close', () => resolve())),
  );
  const exited = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => void Promise.all(read).then(() => resolve(code))),
  );
  return { child, ready, exited, file, output: () => output };
}

describe('runApp', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('when it gets %s, it stops orderly and exits 0', async (signal) => {
    const app = start({ mode: 'well' });
    await app.ready;
    app.child.kill(signal);
    expect(await app.exited).toBe(0);
    expect(app.output()).toContain('handed over');
  });

  it('when the process manager goes away, it stops, so that no second copy runs beside it', async () => {
    const app = start({ mode: 'well' });
    await app.ready;
    app.child.disconnect();
    expect(await app.exited).toBe(0);
  });

  it('when the process manager dies and takes its end of the log along, it stops all the same', async () => {
    const app = start({ mode: 'well' });
    await app.ready;
    app.child.stdout?.destroy();
    app.child.stderr?.destroy();
    app.child.disconnect();
    expect(await app.exited).toBe(0);
  });

  it('when an orderly stop hangs, it is cut off with exit code 1', async () => {
    const app = start({ mode: 'stuck' });
    await app.ready;
    app.child.kill('SIGTERM');
    expect(await app.exited).toBe(1);
  });

  it('when there is a bug, it exits 1 and the log says which', async () => {
    const app = start({ mode: 'bug' });
    expect(await app.exited).toBe(1);
    expect(app.output()).toContain('a bug');
  });

  it('when its configuration is wrong, it stays up, says why, and starts anew when the file changes', async () => {
    const app = start({ mood: 'bad' });
    await app.ready;
    await vi.waitUntil(
      () => /misconfigured.*must have required property 'mode'|unknown key/.test(app.output()),
      { timeout: 60_000 },
    );
    expect(app.child.exitCode).toBeNull();
    writeFileSync(app.file, JSON.stringify({ mode: 'well' }));
    expect(await app.exited).toBe(1); // the process manager starts it with the new file
  });

  it('when the file was put right while it was being read, that is noticed, too', async () => {
    const app = start({ mode: 'late' });
    await app.ready;
    expect(await app.exited).toBe(1);
    expect(app.output()).toContain('configuration file changed');
  });
});
