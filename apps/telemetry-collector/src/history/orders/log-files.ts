import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readdirSync, read, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { hasCode } from '@bowline/runtime/errors';

/** One file of a log, open: what is renamed, packed or removed meanwhile makes no difference. */
export interface LogFile {
  name: string;
  isPacked: boolean;
  inode: number;
  /** When it was written to last, epoch milliseconds. */
  changedAt: number;
  /** How it begins, unpacked. */
  head: Buffer;
  /** What it had when it was opened, from a byte of the unpacked file on. Throws what keeps it from being read. */
  read(offset: number): AsyncIterable<Buffer>;
  close(): void;
}

const readAt = promisify(read);
const CHUNK_BYTES = 64 * 1024;
/** Unpacked, a thousand times as much at most. */
const PACKED_CHUNK_BYTES = 4096;
const HEAD_BYTES = 4096;
/** Each is a rotation that came between two looks. */
const MOST_LOOKS = 20;

/** Apps of which there are logs. While a log is rotated it may have no newest file. */
export function logsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).flatMap(
    (name) => /^([a-z0-9][a-z0-9.-]*?)\.log(?:\.\d{1,4}(?:\.gz)?)?$/.exec(name)?.[1] ?? [],
  );
  return [...new Set(names)].toSorted();
}

/** The files of an app's log, oldest first. To be closed by the caller. */
export async function openLog(folder: string, app: string): Promise<LogFile[]> {
  const opened = openAll(folder, app);
  try {
    const heads = await Promise.all(opened.map(({ read: readFrom }) => headOf(readFrom(0))));
    return opened.map((file, index) => ({ ...file, head: heads[index] ?? Buffer.alloc(0) }));
  } catch (error) {
    closeAll(opened);
    throw error;
  }
}

/** All at once, and again if they were rotated meanwhile: what is open is then as it was at one moment. */
function openAll(folder: string, app: string): Omit<LogFile, 'head'>[] {
  for (let look = 1; ; look += 1) {
    const before = seen(folder, app);
    const files: Omit<LogFile, 'head'>[] = [];
    try {
      for (const { name } of before) files.push(openFile(folder, name));
      const isWhole = before.every(({ inode }, index) => files[index]?.inode === inode);
      if (isWhole && isDeepStrictEqual(seen(folder, app), before)) return files;
      if (look >= MOST_LOOKS) return files;
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || look >= MOST_LOOKS) {
        closeAll(files);
        throw error;
      }
    }
    closeAll(files);
  }
}

export const closeAll = (files: readonly Pick<LogFile, 'close'>[]): void =>
  files.forEach((file) => file.close());

/** Where a line ends, found again whatever its file is called by then, packed or not. */
export function markOf({ inode, head }: LogFile, end: number): string {
  const bytes = Math.min(end, head.length);
  return [inode, bytes, fingerprint(head, bytes), end].join(' ');
}

/** The file and the place in it that {@link markOf} told, if it is still there. */
export function placeOf(files: readonly LogFile[], mark = ''): { index: number; offset: number } | undefined {
  const [, inode, bytes, print, offset] = /^(\d+) (\d+) (\S+) (\d+)$/.exec(mark) ?? [];
  if (offset === undefined) return undefined;
  const size = Number(bytes);
  const alike = [...files.entries()].filter(
    ([, { head }]) => head.length >= size && fingerprint(head, size) === print,
  );
  // Files that begin alike are told apart by the inode, until they are packed. Else the oldest: rather twice than never.
  const [index] =
    alike.find(([, file]) => file.inode === Number(inode)) ?? (size > 0 ? alike[0] : undefined) ?? [];
  return index === undefined ? undefined : { index, offset: Number(offset) };
}

const fingerprint = (head: Buffer, bytes: number): string =>
  createHash('sha256').update(head.subarray(0, bytes)).digest('base64url').slice(0, 16);

/** Oldest first: logrotate counts up from the newest. While one is packed it is there twice, the packed one not yet whole. */
function seen(folder: string, app: string): { name: string; inode: number }[] {
  const all = new Set(readdirSync(folder));
  const ages = [...all].flatMap((name) => {
    if (name === `${app}.log`) return [{ name, age: 0 }];
    const match = name.startsWith(`${app}.log.`)
      ? /^(\d{1,4})(\.gz)?$/.exec(name.slice(`${app}.log.`.length))
      : null;
    if (match === null || (match[2] !== undefined && all.has(name.slice(0, -'.gz'.length)))) return [];
    return [{ name, age: Number(match[1]) }];
  });
  return ages
    .toSorted((one, other) => other.age - one.age)
    .flatMap(({ name }) => {
      const inode = statSync(join(folder, name), { throwIfNoEntry: false })?.ino;
      return inode === undefined ? [] : [{ name, inode }];
    });
}

function openFile(folder: string, name: string): Omit<LogFile, 'head'> {
  const file = openSync(join(folder, name), 'r');
  const { ino: inode, size, mtimeMs } = fstatSync(file);
  const isPacked = name.endsWith('.gz');
  return {
    name,
    isPacked,
    inode,
    changedAt: Math.floor(mtimeMs),
    read: (offset) =>
      isPacked
        ? unpacked(bytesOf(file, 0, size, PACKED_CHUNK_BYTES), offset)
        : bytesOf(file, offset, size, CHUNK_BYTES),
    close: () => closeSync(file),
  };
}

async function* bytesOf(file: number, from: number, to: number, most = CHUNK_BYTES): AsyncGenerator<Buffer> {
  for (let at = from; at < to;) {
    const length = Math.min(most, to - at);
    const { bytesRead, buffer } = await readAt(file, Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** All that can be unpacked, and then the error that ends it. */
async function* unpacked(bytes: AsyncIterable<Buffer>, offset: number): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  let ready: Buffer[] = [];
  let fault: unknown;
  let toSkip = offset;
  gunzip.on('data', (chunk: Buffer) => ready.push(chunk));
  gunzip.on('error', (error) => (fault = error));
  const closed = new Promise<void>((resolve) => gunzip.once('close', () => resolve()));
  const take = () => {
    const taken = Buffer.concat(ready);
    ready = [];
    const rest = taken.subarray(toSkip);
    toSkip = Math.max(0, toSkip - taken.length);
    return rest;
  };
  try {
    for await (const chunk of bytes) {
      const written = new Promise<void>((resolve) => void gunzip.write(chunk, () => resolve()));
      // After an error nobody tells that it is written.
      await Promise.race([written, closed]);
      yield take();
      if (fault !== undefined) break;
    }
    if (fault === undefined) gunzip.end();
    await closed;
    yield take();
    if (fault !== undefined) throw fault;
  } finally {
    gunzip.destroy();
  }
}

/** Of a file that is damaged, what can be read. */
async function headOf(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of bytes) {
      head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
      if (head.length >= HEAD_BYTES) break;
    }
  } catch {
    // Who reads on meets the same error, and says so.
  }
  return head;
}
