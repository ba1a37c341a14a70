import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HubApp } from '@bowline/messages/hub/apps';
import { systemNumber } from '@bowline/runtime';
import { ConfigError, hasCode } from '@bowline/runtime/errors';

/** `sun_path` of unix(7) holds 108 bytes, the last of them zero. */
const LONGEST_SOCKET_PATH_BYTES = 107;

/** @throws ConfigError `socket-path-too-long`: the kernel would cut or refuse it. */
export function socketPath(folder: string, app: HubApp): string {
  const path = join(folder, `${app}.sock`);
  const bytes = Buffer.byteLength(path);
  if (bytes > LONGEST_SOCKET_PATH_BYTES) {
    const most = LONGEST_SOCKET_PATH_BYTES;
    throw new ConfigError(
      'socket-path-too-long',
      `socket path ${path} has ${bytes} bytes, a unix socket takes ${most}: choose a shorter hubFolder`,
    );
  }
  return path;
}

/**
 * Makes the folder of hub sockets if it is absent, and checks it before it is used.
 *
 * @param mode the most that the folder may allow, e.g. 0o700; also the mode of a new one.
 * @throws ConfigError `hub-folder-unsafe`, `hub-folder-unusable`.
 */
export function prepareHubFolder(folder: string, mode: number): void {
  try {
    // The first folder that had to be made; undefined if all were there.
    if (mkdirSync(folder, { recursive: true, mode }) !== undefined) chmodSync(folder, mode);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw unusable(folder, error);
  }
  checkHubFolder(folder, { owners: [ownUid()], mode });
}

/**
 * Whoever can write to the folder can put a socket of his own there, so its owner and mode are checked before any socket
 * in it is trusted.
 *
 * @throws ConfigError `hub-folder-unsafe`; `hub-folder-unusable` (also if it is absent, with the ENOENT as cause).
 */
export function checkHubFolder(
  folder: string,
  { owners, mode }: { owners: readonly number[]; mode: number },
): void {
  let stat;
  try {
    stat = lstatSync(folder);
  } catch (error) {
    throw unusable(folder, error);
  }
  if (!stat.isDirectory()) throw unsafe(folder, 'it is not a folder (a link is not taken)');
  if (!owners.includes(stat.uid)) {
    throw unsafe(folder, `it belongs to user ${stat.uid}, expected ${owners.join(' or ')}`);
  }
  const excess = stat.mode & 0o777 & ~mode;
  if (excess !== 0) {
    const has = (stat.mode & 0o777).toString(8);
    throw unsafe(folder, `its mode ${has} allows more than ${mode.toString(8)}: chmod it`);
  }
}

/**
 * The socket itself, before an app connects to it: a link that was put there would lead to somebody else's, wherever that is.
 * One that is not there, or not for us to see, is left to the attempt to connect.
 *
 * @throws ConfigError `hub-socket-unsafe`, `hub-folder-unusable`
 */
export function checkHubSocket(path: string, owners: readonly number[]): void {
  let stat;
  try {
    stat = lstatSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'EACCES')) return;
    throw unusable(dirname(path), error);
  }
  const refuse = (why: string) => new ConfigError('hub-socket-unsafe', `${path} is not used: ${why}`);
  if (!stat.isSocket()) throw refuse('it is not a socket (a link is not taken)');
  if (!owners.includes(stat.uid))
    throw refuse(`it belongs to user ${stat.uid}, expected ${owners.join(' or ')}`);
}

/**
 * Whoever is in the group of an app's folder can be that app, so it must be the app's own.
 *
 * @throws ConfigError `hub-folder-unsafe`, `hub-owner-unknown`
 */
export function checkGroup(folder: string, group: string, groupFile = '/etc/group'): void {
  const gid = numberOf(group, groupFile, 'appSocketGroups: there is no group');
  const { gid: found } = lstatSync(folder);
  if (found !== gid)
    throw unsafe(
      folder,
      `its group is ${found}, expected ${group} (${gid}): chgrp it, or whoever is in that group can be this app`,
    );
}

/**
 * The number of a system user, who always stands in /etc/passwd; a number is itself. Node has no getpwnam.
 *
 * @throws ConfigError `hub-owner-unknown`
 */
export const userId = (user: string, passwdFile = '/etc/passwd'): number =>
  numberOf(user, passwdFile, 'hubOwner: there is no user');

function numberOf(name: string, file: string, what: string): number {
  const id = systemNumber(name, file);
  if (id !== undefined) return id;
  throw new ConfigError('hub-owner-unknown', `${what} ${name} in ${file}: was this device installed whole?`);
}

/** The user that this process runs as. Linux only, as all of Bowline's device side. */
export const ownUid = (): number => process.getuid?.() ?? 0;

const unsafe = (folder: string, why: string) =>
  new ConfigError('hub-folder-unsafe', `the hub folder ${folder} is not safe: ${why}`);
const unusable = (folder: string, cause: unknown) =>
  new ConfigError('hub-folder-unusable', `the hub folder ${folder} cannot be used: ${String(cause)}`, {
    cause,
  });
