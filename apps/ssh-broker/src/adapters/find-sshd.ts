import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { childEnvironment } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { parseSshdVersion } from '../core/ssh-ready.ts';

const DEADLINE_MS = 5000;

/** The machine's sshd, if it is there and starts; asked for its version, it neither listens nor reads its keys. */
export function findSshd(
  path: string,
): Promise<{ sshd: string | undefined; sshdVersion: string | undefined }> {
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

/** As root, sshd wants an empty folder of root's to confine its first steps; Debian's service makes it, if that is switched on. */
export function makePrivilegeFolder(folder = '/run/sshd'): void {
  if (process.getuid?.() === 0) mkdirSync(folder, { recursive: true, mode: 0o755 });
}
