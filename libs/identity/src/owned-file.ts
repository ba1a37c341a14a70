import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { ConfigError, hasCode } from '@bowline/runtime';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;
/** Others may write such a folder, but not exchange what is ours in it; only its owner may (unlink(2)). */
const STICKY = 0o1000;

/**
 * Reads a file that decides what this process may do: nobody but its owner may have written it, and that is root or the
 * user of this process. Checks and reads one and the same open file; whoever could exchange it in its folder counts too. A
 * link is not followed (nothing is known of the folder that it leads to), and a pipe is not waited for.
 *
 * @param secret nobody else may read it, either.
 * @throws ConfigError `file-unsafe`; Node's own error if it cannot be opened (`ENOENT`: there is none).
 */
export function readOwnedFile(file: string, maxBytes: number, { secret = false } = {}): string {
  const refuse = (why: string): never => {
    throw new ConfigError('file-unsafe', `${file}: ${why}`);
  };
  const handle = open(file, refuse);
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) refuse('it is not a file');
    const why = unsafe(stat);
    if (why !== undefined) refuse(why);
    if (secret && (stat.mode & OPEN_TO_OTHERS) !== 0) refuse('others may use it: chmod 600 it');
    const folder = statSync(dirname(file));
    const whyFolder = (folder.mode & STICKY) === 0 ? unsafe(folder) : ofAnother(folder);
    if (whyFolder !== undefined) refuse(`its folder: ${whyFolder}`);
    if (stat.size > maxBytes) refuse(`it is larger than ${maxBytes} bytes`);
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}

function open(file: string, refuse: (why: string) => never): number {
  try {
    return openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, 'ELOOP')) return refuse('it is a link: put the file itself there');
    if (hasCode(error, 'ENXIO')) return refuse('it is not a file'); // a socket
    throw error;
  }
}

/**
 * The same of a file that is not read here but run: why it must not be, or undefined if only root or we can have written it.
 * Whoever could exchange it between this look and its start is one of these two.
 */
export function ownedFileFault(file: string): string | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return 'it is not there';
  if (!stat.isFile()) return 'it is not a file';
  const why = unsafe(stat);
  if (why !== undefined) return why;
  const folder = unsafe(statSync(dirname(file)));
  return folder === undefined ? undefined : `its folder: ${folder}`;
}

function unsafe(stat: Stats): string | undefined {
  if ((stat.mode & WRITABLE_BY_OTHERS) !== 0)
    return 'others than its owner may write it (chmod go-w makes it safe)';
  return ofAnother(stat);
}

function ofAnother({ uid }: Stats): string | undefined {
  if (uid !== 0 && uid !== process.getuid?.()) return `it belongs to user ${uid}, not to root or to us`;
  return undefined;
}
