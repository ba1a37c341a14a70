import { createHash } from 'node:crypto';
import { accessSync, constants, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@bowline/pm2';
import { DemoError } from './demo-error.ts';

export const DEVICE_ID = 'demo';
/** Of which the demo device is one. */
export const DEMO_GROUP = 'demos';
export const DEFAULT_PORT = 7400;

/** Every path of the demo. State is in `.bowline`; sockets are in `runDir`, since their paths have 107 bytes at most. */
export interface DemoLayout {
  checkout: string;
  home: string;
  configDir: string;
  stateDir: string;
  logDir: string;
  serverDir: string;
  runFile: string;
  lockFile: string;
  runDir: string;
  hubFolder: string;
  pm2Home: string;
  runtime: string;
}

/** Longest socket path that we put below `runDir`; Linux takes 107 bytes (unix(7)). */
const LONGEST_SOCKET = '/hub/telemetry-collector.sock';
const SOCKET_PATH_BYTES = 107;

export function demoLayout(
  checkout: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
  uid = process.getuid?.() ?? 0,
): DemoLayout {
  const home = join(realpathSync(checkout), '.bowline');
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 12);
  const runDir = privateFolder(env['XDG_RUNTIME_DIR'], uid, hash) ?? `/tmp/bowline-${uid}-${hash}`;
  return { ...placesIn(home), ...placesOfRun(runDir), checkout: realpathSync(checkout), home };
}

const placesIn = (home: string) => ({
  configDir: join(home, 'device', 'config'),
  stateDir: join(home, 'device', 'state'),
  logDir: join(home, 'logs'),
  serverDir: join(home, 'server'),
  runFile: join(home, 'run.json'),
  lockFile: join(home, 'start.lock'),
});

/** By which `bowline` finds a device with this layout, and what is where on it. */
export const deviceIn = ({ configDir, stateDir, runDir, hubFolder, pm2Home }: DemoLayout): Installation => ({
  runDir,
  hubFolder,
  pm2Home,
  policyFile: join(configDir, 'policy.json'),
  configDir,
  updaterStateDir: join(stateDir, 'ota-updater'),
  brokerStateDir: join(stateDir, 'ssh-broker'),
});

/** The part of the layout that hangs on where the sockets are; a run that is going on may have another place for them. */
export const placesOfRun = (runDir: string) => ({
  runDir,
  hubFolder: join(runDir, 'hub'),
  pm2Home: join(runDir, 'pm2'),
  // pm2 loads code of its own into a process whose interpreter's name ends in "node".
  runtime: join(runDir, 'runtime'),
});

/** `$XDG_RUNTIME_DIR/bowline-HASH`, if that folder is this user's own, writable and short enough. */
function privateFolder(runtimeDir: string | undefined, uid: number, hash: string): string | undefined {
  if (runtimeDir === undefined || !runtimeDir.startsWith('/')) return undefined;
  const folder = join(runtimeDir, `bowline-${hash}`);
  if (Buffer.byteLength(folder + LONGEST_SOCKET) > SOCKET_PATH_BYTES) return undefined;
  try {
    if (statSync(runtimeDir).uid !== uid) return undefined;
    accessSync(runtimeDir, constants.W_OK | constants.X_OK);
    return folder;
  } catch {
    return undefined;
  }
}

/**
 * Makes a folder that only this user can enter, or makes sure that the one that is there is such a folder: under /tmp
 * anybody could have put one of that name.
 */
export function makePrivateFolder(folder: string, uid = process.getuid?.() ?? 0): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid: owner } = lstatSync(folder);
  const isFolder = lstatSync(folder).isDirectory();
  if (isFolder && owner === uid && (mode & 0o077) === 0) return;
  throw new DemoError(
    `${folder} is not a folder that belongs to you alone.`,
    `Look at who made it (ls -ld ${folder}), remove it, and run npm start again.`,
  );
}
