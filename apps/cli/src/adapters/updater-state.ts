import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { UpdateStatus } from '@bowline/messages/update-status';
import { writeFileDurably } from '@bowline/runtime';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';

const DEVICE_STATE_DIR = '/var/lib/bowline/ota-updater';

/** The updater's own folder: whoever may write it has a say in updates. */
export const stateDirOf = ({ installation }: Pick<Context, 'installation'>): string =>
  installation().updaterStateDir ?? DEVICE_STATE_DIR;

/** @throws CliError `updater-away` */
export function readStatus(folder: string): UpdateStatus {
  try {
    return JSON.parse(readFileSync(join(folder, 'status.json'), 'utf8')) as UpdateStatus;
  } catch (error) {
    throw away(folder, error);
  }
}

/** @throws CliError `updater-away` */
export function writeForUpdater(file: string, text: string): void {
  try {
    mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 });
    writeFileDurably(file, text);
  } catch (error) {
    throw away(file, error);
  }
}

const away = (path: string, cause: unknown) =>
  new CliError('updater-away', `${path} cannot be used.`, {
    exitCode: EXIT.deviceAway,
    advice: 'Run this as the user of the updater (root on a device), and see whether it runs: bowline status',
    cause,
  });
