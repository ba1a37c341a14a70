import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { SshGrant } from '@bowline/messages';
import { childEnvironment } from '@bowline/runtime';
import { capabilitiesOf } from '../core/judge-access.ts';
import { entryScript } from '../core/entry-script.ts';
import { authorizedKey, keyOptions, plainPublicKey, sshdConfig } from '../core/sshd-config.ts';
import type { Recorder } from './recorder.ts';
import type { RunFolder } from './run-folder.ts';

const KEYGEN_DEADLINE_MS = 10_000;

export interface SessionFolder {
  folder: string;
  config: string;
  /** Type and key, as in `known_hosts`. */
  hostKey: string;
  /** OpenSSH's fingerprint, without `SHA256:`. */
  hostKeySha256: string;
  /**
   * Lets the operator's key in until then, on the device's wall clock as it is now: sshd knows no other, and it may have been set
   * since the last connection.
   */
  letInUntil(expiresAtMs: number): void;
}

export interface SessionFolderOptions {
  run: RunFolder;
  sshKeygenPath: string;
  userCaFile: string | undefined;
  /** The device's wall clock, epoch milliseconds. */
  expiresAtMs: number;
  recorder: Recorder | undefined;
}

/** Everything that sshd needs for one session, in a folder of its own that goes with it. */
export async function makeSessionFolder(
  grant: SshGrant,
  options: SessionFolderOptions,
): Promise<SessionFolder> {
  const folder = join(options.run.folder, `session-${grant.sessionId}`);
  mkdirSync(folder, { mode: 0o711 });
  try {
    return await fill(folder, grant, options);
  } catch (error) {
    removeSessionFolder(folder);
    throw error;
  }
}

async function fill(folder: string, grant: SshGrant, options: SessionFolderOptions): Promise<SessionFolder> {
  const at = (name: string) => join(folder, name);
  const files = {
    hostKey: at('host_key'),
    authorizedKeys: at('authorized_keys'),
    principals: at('principals'),
  };
  // Made here and now, for this session alone: nobody else ever had it.
  await promisify(execFile)(
    options.sshKeygenPath,
    ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', files.hostKey],
    { env: childEnvironment(), timeout: KEYGEN_DEADLINE_MS },
  );
  const capabilities = capabilitiesOf(grant);
  const readable = { mode: 0o644 }; // by sshd, which asks as the session's user
  const key = plainPublicKey(grant.publicKey ?? '') ?? '';
  const letInUntil = (expiresAtMs: number) => {
    if (grant.principal !== undefined) return;
    // Another connection may be reading it.
    const beside = `${files.authorizedKeys}.new`;
    writeFileSync(beside, authorizedKey(key, capabilities, expiresAtMs), readable);
    renameSync(beside, files.authorizedKeys);
  };
  letInUntil(options.expiresAtMs);
  if (grant.principal !== undefined)
    writeFileSync(files.principals, `${keyOptions(capabilities)} ${grant.principal}\n`, readable);
  const config = at('sshd_config');
  const { userCaFile } = options;
  const { strictModes } = options.run;
  const script = entryScript({ grant, capabilities, recording: options.recorder?.prepare(folder) });
  const entry = script === undefined ? undefined : at('entry');
  if (entry !== undefined) writeFileSync(entry, script ?? '', readable);
  writeFileSync(config, sshdConfig({ grant, capabilities, files, userCaFile, strictModes, entry }), {
    mode: 0o600,
  });
  const [type = '', blob = ''] = readFileSync(`${files.hostKey}.pub`, 'utf8').trim().split(' ');
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64');
  return { folder, config, hostKey: `${type} ${blob}`, letInUntil, hostKeySha256: digest.replace(/=+$/, '') };
}

export const removeSessionFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });
