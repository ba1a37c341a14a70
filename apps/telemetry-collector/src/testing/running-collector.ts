import { join } from 'node:path';
import { startProcess, type TestProcess } from '@bowline/testing';
import { CollectorConfig } from '../config.ts';

const MAIN = join(import.meta.dirname, '../main.ts');

/** What it samples by itself is off: what arrives is what a test sent. */
export const silent = (except?: string): string[] =>
  Object.keys(CollectorConfig.properties.series.properties)
    .filter((name) => name !== except)
    .map((name) => `--series.${name}.intervalMs=0`);

/** The real program, from source, and its arguments. */
export const collectorCommand = (folder: string, ...flags: string[]): [string, ...string[]] => [
  process.execPath,
  MAIN,
  `--stateDir=${join(folder, 'state')}`,
  `--hubFolder=${join(folder, 'hub')}`,
  '--telemetry.commitMs=0',
  ...silent(),
  ...flags,
];

/** In a process of its own. */
export function startCollector(folder: string, ...flags: string[]): TestProcess {
  const [program, ...args] = collectorCommand(folder, ...flags);
  return startProcess(program, args, { env: { PATH: process.env['PATH'] } });
}
