import { loadConfig, systemClock, BowlineError } from '@bowline/runtime';
import type { ServerConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';
import { restore } from './store/restore.ts';

const USAGE = 'Usage: fleet-server restore BACKUP_FOLDER --stateDir=FOLDER (or --config FILE)\n';

/** `fleet-server restore`: tells a person what was done. @returns the exit code. */
export async function restoreCommand([from, ...flags]: readonly string[]): Promise<number> {
  if (from === undefined || from.startsWith('-')) {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const { config } = loadConfig<ServerConfig>(validateConfig, {
      app: 'fleet-server',
      args: flags,
      env: process.env,
    });
    const { manifest, put, kept, replaced } = await restore(from, config.stateDir, systemClock);
    const lines = [
      `Restored ${config.stateDir} to the backup of ${new Date(manifest.at).toISOString()}, under a new serverEpoch.`,
      'Devices that were enrolled, revoked or given another key since then, and orders, are as they were at that time:',
      'look through them (bowline fleet devices). Devices send again what the backup lacks, as far as they still hold it.',
      ...(put.length > 0 ? [`Put back: ${put.join(', ')}`] : []),
      ...(kept.length > 0 ? [`Different here, and kept as they are: ${kept.join(', ')}`] : []),
      ...(replaced === undefined ? [] : [`The store that was here before: ${replaced}`]),
      'Now start the server.',
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof BowlineError)) throw error;
    const advice = error.code === 'already-running' ? ' Stop the server on this folder first.' : '';
    process.stderr.write(`${error.message}${advice}\n`);
    return 1;
  }
}
