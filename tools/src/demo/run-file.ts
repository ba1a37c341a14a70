import { rmSync } from 'node:fs';
import { installationFrom, type Installation } from '@bowline/pm2';
import { readFileIfPresent, writeFileDurably } from '@bowline/runtime';

/** `run.json` says where the run that is going on can be found; it is written when all is up and removed by the stop. */
export function readRunFile(file: string): Installation | undefined {
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return installationFrom(text, file);
  } catch {
    return undefined; // cut off by a crash: the same as none
  }
}

export const writeRunFile = (file: string, installation: Installation): void =>
  writeFileDurably(file, `${JSON.stringify(installation, null, 2)}\n`, 0o600);

export const removeRunFile = (file: string): void => rmSync(file, { force: true });
