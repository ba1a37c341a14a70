import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SshGrant } from '@bowline/messages';
import { writeFileDurably } from '@bowline/runtime';
import { asciicast } from '../core/asciicast.ts';

export interface RecorderOptions {
  /** Where recordings are kept. */
  folder: string;
  /** Of one terminal; its recording ends there, and the terminal with it. */
  maxBytes: number;
  /** Recordings kept; the oldest go first. */
  keep: number;
  owner: { uid: number; gid: number } | undefined;
}

export interface Recording {
  file: string;
  bytes: number;
  sha256: string;
}

const WIDTH = 80;
const HEIGHT = 24;

/**
 * Records what is put out on the terminals of a session. Advisory: it runs as the session's user, who can evade it, and root
 * can do so without a trace.
 */
export class Recorder {
  readonly #options: RecorderOptions;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** @returns the command that sshd is to force upon every client of this session. */
  wrap(grant: SshGrant, folder: string): string {
    const logs = join(folder, 'rec');
    mkdirSync(logs, { mode: 0o700 });
    const { owner, maxBytes } = this.#options;
    if (owner !== undefined) chownSync(logs, owner.uid, owner.gid);
    const file = join(folder, 'record');
    writeFileSync(file, wrapperScript(logs, grant, maxBytes));
    chmodSync(file, 0o755);
    return file;
  }

  /** After the end: keeps what was recorded, as asciicast. */
  collect(grant: Pick<SshGrant, 'sessionId' | 'user' | 'by'>, folder: string, at: number): Recording[] {
    const logs = join(folder, 'rec');
    const kept: Recording[] = [];
    for (const name of readdirSync(logs).filter((each) => /^\d+\.out$/.test(each))) {
      const output = readPlainFile(join(logs, name), this.#options.maxBytes * 2);
      const timing = readPlainFile(join(logs, name.replace(/out$/, 'timing')), this.#options.maxBytes * 2);
      if (output === undefined || timing === undefined) continue;
      const title = `${grant.user}, ${grant.by}, ${grant.sessionId}`;
      const header = { timestamp: Math.floor(at / 1000), title, width: WIDTH, height: HEIGHT };
      const cast = asciicast(timing.toString('latin1'), output, header);
      const file = join(this.#options.folder, `${grant.sessionId}-${name.replace(/out$/, 'cast')}`);
      writeFileDurably(file, cast);
      const sha256 = createHash('sha256').update(cast).digest('hex');
      kept.push({ file, bytes: Buffer.byteLength(cast), sha256 });
    }
    this.#forgetOldest();
    return kept;
  }

  #forgetOldest(): void {
    const { folder, keep } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const files = readdirSync(folder).filter((name) => name.endsWith('.cast'));
    const byAge = files.toSorted(
      (a, b) => lstatSync(join(folder, a)).mtimeMs - lstatSync(join(folder, b)).mtimeMs,
    );
    for (const name of byAge.slice(0, Math.max(0, files.length - keep))) rmSync(join(folder, name));
  }
}

/** The folder is the session's user's: what is a link or too large there is not read. */
function readPlainFile(file: string, maxBytes: number): Buffer | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size <= maxBytes ? readFileSync(file) : undefined;
}

function wrapperScript(logs: string, { command, capabilities }: SshGrant, maxBytes: number): string {
  const wanted = command === undefined ? '${SSH_ORIGINAL_COMMAND-}' : shellQuoted(command);
  const sftp = capabilities.includes('sftp') ? 'exec /usr/lib/openssh/sftp-server' : 'exit 1';
  return `#!/bin/sh
# The grant of this session says that it is recorded. Only terminals are: a program without one gets its bytes as they are.
shell=\${SHELL:-/bin/sh}
command=${command === undefined ? `"${wanted}"` : wanted}
if [ "$command" = internal-sftp ]; then ${sftp}; fi
if [ -t 0 ]; then
  set -- -q -e -f -o ${maxBytes} -O ${shellQuoted(logs)}/$$.out -T ${shellQuoted(logs)}/$$.timing
  if [ -n "$command" ]; then exec script "$@" -c "$command"; fi
  exec script "$@"
fi
if [ -n "$command" ]; then exec "$shell" -c "$command"; fi
exec "$shell"
`;
}

const shellQuoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
