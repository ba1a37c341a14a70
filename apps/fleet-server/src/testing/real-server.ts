import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, type TestProcess } from '@bowline/testing';

export const MAIN = join(import.meta.dirname, '../main.ts');

/** The real process, on the same port and folder each time. */
export async function startReal(
  stateDir: string,
  port: number,
  flags: readonly string[] = [],
): Promise<{ process: TestProcess; url: string }> {
  const infoFile = join(stateDir, 'info.json');
  const process = startProcess('node', [
    MAIN,
    `--stateDir=${stateDir}`,
    `--port=${port}`,
    `--infoFile=${infoFile}`,
    '--link.attemptsBurst=1000',
    ...flags,
  ]);
  await process.output(/"message":"listening"/);
  const { url } = JSON.parse(readFileSync(infoFile, 'utf8')) as { url: string };
  return { process, url };
}
