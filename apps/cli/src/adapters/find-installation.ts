import { dirname, join, resolve } from 'node:path';
import { installationFrom, type Installation } from '@bowline/pm2';
import { readFileIfPresent } from '@bowline/runtime';
import { CliError, EXIT } from '../core/cli-error.ts';

const DEVICE_FILE = '/etc/bowline/cli.json';

export interface Surroundings {
  /** `--home`: the folder with run.json, or one that has it in `.bowline`. */
  home?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Of a device; a test has its own. */
  deviceFile?: string;
}

/**
 * Finds the device that is meant: `--home`, else `BOWLINE_HOME`, else `.bowline/run.json` here or in a folder above, else
 * `/etc/bowline/cli.json`.
 *
 * @throws CliError `no-installation`; ConfigError `installation-invalid`.
 */
export function findInstallation({ home, env, cwd, deviceFile = DEVICE_FILE }: Surroundings): Installation {
  const named = home ?? (env['BOWLINE_HOME'] || undefined);
  const candidates =
    named === undefined
      ? [...upward(cwd).map((folder) => join(folder, '.bowline/run.json')), deviceFile]
      : [join(resolve(cwd, named), 'run.json'), join(resolve(cwd, named), '.bowline/run.json')];
  for (const file of candidates) {
    const text = readFileIfPresent(file);
    if (text !== undefined) return installationFrom(text, file);
  }
  throw new CliError(
    'no-installation',
    named === undefined
      ? `No running demo in ${cwd} or above, and no ${deviceFile}.`
      : `No running demo in ${named}: it has no run.json.`,
    {
      exitCode: EXIT.noInstallation,
      advice: 'Start one (npm start), or name its folder: bowline --home FOLDER …',
    },
  );
}

function upward(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...upward(parent)];
}
