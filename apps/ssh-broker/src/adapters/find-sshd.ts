import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { childEnvironment } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { parseSshdVersion } from '../core/ssh-ready.ts';

const DEADLINE_MS = 5000;

export interface FoundSshd {
  /** Its path; undefined if there is none that starts. */
  sshd: string | undefined;
  sshdVersion: string | undefined;
}

/** The machine's sshd, if it is there and starts; asked for its version, it neither listens nor reads its keys. */
export function findSshd(path: string): Promise<FoundSshd> {
  return new Promise((resolve) => {
    const options = { timeout: DEADLINE_MS, encoding: 'utf8', env: childEnvironment() } as const;
    execFile(path, ['-V'], options, (error, stdout, stderr) => {
      const runs = !hasCode(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'ENOEXEC');
      resolve({
        sshd: runs ? path : undefined,
        sshdVersion: runs ? parseSshdVersion(`${stdout}\n${stderr}`) : undefined,
      });
    });
  });
}

/**
 * Looks again each time it is asked as long as there is none: whoever was told to install it need not restart us.
 *
 * @param onFound is told of one that has come since.
 */
export function keepLooking(
  path: string,
  first: FoundSshd,
  onFound: (found: FoundSshd) => void,
): () => Promise<string | undefined> {
  let found = first;
  return async () => {
    if (found.sshd !== undefined) return found.sshd;
    const now = await findSshd(path);
    if (found.sshd === undefined && now.sshd !== undefined) {
      found = now;
      onFound(now);
    }
    return found.sshd;
  };
}

/** As root, sshd wants an empty folder of root's to confine its first steps; Debian's service makes it, if that is switched on. */
export function makePrivilegeFolder(folder = '/run/sshd'): void {
  if (process.getuid?.() === 0) mkdirSync(folder, { recursive: true, mode: 0o755 });
}
