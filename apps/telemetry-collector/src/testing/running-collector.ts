import { join } from 'node:path';
import { startProcess, type TestProcess } from '@bowline/testing';

const MAIN = join(import.meta.dirname, '../main.ts');

/** Everything that it samples by itself is off: what arrives is what a test sent. */
const SILENT = ['cpu', 'load', 'memory', 'filesystem', 'temperature', 'network', 'uptime'].map(
  (name) => `--series.${name}.intervalMs=0`,
);

/** The real program, from source, in a process of its own. */
export function startCollector(folder: string, ...flags: string[]): TestProcess {
  return startProcess(
    process.execPath,
    [
      MAIN,
      `--stateDir=${join(folder, 'state')}`,
      `--hubFolder=${join(folder, 'hub')}`,
      '--telemetry.commitMs=0',
      ...SILENT,
      ...flags,
    ],
    { env: { PATH: process.env['PATH'] } },
  );
}
