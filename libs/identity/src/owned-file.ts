import { closeSync, fstatSync, openSync, readFileSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError } from '@bowline/runtime';

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * Reads a file that decides what this process may do: nobody but its owner may have written it, and that is root or the
 * user of this process. Checks and reads one and the same open file; whoever could exchange it in its folder counts too.
 *
 * @throws ConfigError `file-unsafe`; Node's own error if it cannot be opened (`ENOENT`: there is none).
 */
export function readOwnedFile(file: string, maxBytes: number): string {
  const handle = openSync(file, 'r');
  try {
    const stat = fstatSync(handle);
    const refuse = (why: string): never => {
      throw new ConfigError('file-unsafe', why);
    };
    if (!stat.isFile()) refuse('it is not a file');
    const why = unsafe(stat);
    if (why !== undefined) refuse(why);
    const folder = statSync(dirname(file));
    const whyFolder = (folder.mode & STICKY) === 0 ? unsafe(folder) : undefined;
    if (whyFolder !== undefined) refuse(`its folder: ${whyFolder}`);
    if (stat.size > maxBytes) refuse(`it is larger than ${maxBytes} bytes`);
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}

function unsafe({ mode, uid }: Stats): string | undefined {
  if ((mode & WRITABLE_BY_OTHERS) !== 0)
    return 'others than its owner may write it (chmod go-w makes it safe)';
  if (uid !== 0 && uid !== process.getuid?.()) return `it belongs to user ${uid}, not to root or to us`;
  return undefined;
}
