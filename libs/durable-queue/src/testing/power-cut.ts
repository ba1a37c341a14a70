/**
 * Power cuts by replaying a trace: what a process wrote is known write by write (strace), so what a disk may hold when the
 * power goes at any moment can be worked out: everything that was synced, and of the rest any part.
 */

/** A system call that has returned, with its arguments as strace prints them. */
interface Call {
  name: string;
  args: string;
  result: number;
}

/** One step of the process's life, in the order of the trace. */
export type Step =
  | { kind: 'written'; file: DiskFile; at: number; data: Buffer }
  /** From here on everything written to the file before is on disk. */
  | { kind: 'synced'; file: DiskFile }
  /** The name now means this file, on disk from the next sync of the folder on. */
  | { kind: 'named'; file: DiskFile }
  | { kind: 'folder-synced' }
  | { kind: 'told'; line: string };

/** A file whatever it is called. */
export interface DiskFile {
  /** Not its name: tells files apart. */
  id: number;
}

const SECTOR_BYTES = 512;

/** The steps that concern one file name in one folder, and what was written to standard output. */
export function readTrace(trace: string, folder: string, name: string): Step[] {
  const steps: Step[] = [];
  const names = new Map<string, DiskFile>();
  const handles = new Map<
    number,
    { file?: DiskFile; folder?: true; synchronous: boolean; position: number }
  >();
  let files = 0;
  let output = '';
  const fileNamed = (path: string): DiskFile => {
    let file = names.get(path);
    if (file === undefined) names.set(path, (file = { id: (files += 1) }));
    return file;
  };
  const wrote = (handle: number, at: number, data: Buffer): void => {
    const { file, synchronous = false } = handles.get(handle) ?? {};
    if (file === undefined) return;
    steps.push({ kind: 'written', file, at, data });
    if (synchronous) steps.push({ kind: 'synced', file });
  };

  for (const { name: call, args, result } of calls(trace)) {
    if (result < 0) continue;
    const handle = Number.parseInt(args, 10);
    const strings = stringsIn(args);
    const held = handles.get(handle);
    if (call === 'openat') {
      const path = strings[0]?.toString() ?? '';
      if (path === folder) handles.set(result, { folder: true, synchronous: false, position: 0 });
      else if (path.startsWith(`${folder}/`) && path.endsWith('.mdb')) {
        handles.set(result, { file: fileNamed(path), synchronous: /O_D?SYNC/.test(args), position: 0 });
      } else handles.delete(result);
    } else if (call === 'close') handles.delete(handle);
    else if (call === 'write' && handle === 1) {
      output += strings[0]?.toString() ?? '';
      const lines = output.split('\n');
      output = lines.pop() ?? '';
      for (const line of lines) steps.push({ kind: 'told', line });
    } else if (call === 'lseek' && held !== undefined) held.position = result;
    else if (call === 'pwrite64')
      wrote(handle, Number(/, (\d+)$/.exec(args)?.[1]), strings[0] ?? Buffer.alloc(0));
    else if (call === 'pwritev') wrote(handle, Number(/, (\d+)$/.exec(args)?.[1]), Buffer.concat(strings));
    else if ((call === 'write' || call === 'writev') && held !== undefined) {
      wrote(handle, held.position, Buffer.concat(strings));
      held.position += result;
    } else if ((call === 'fdatasync' || call === 'fsync') && held !== undefined) {
      if (held.file !== undefined) steps.push({ kind: 'synced', file: held.file });
      else steps.push({ kind: 'folder-synced' });
    } else if (call === 'rename') {
      const [from, to] = strings.map(String);
      const file = names.get(from ?? '');
      if (file === undefined || to === undefined) continue;
      names.delete(from ?? '');
      names.set(to, file);
      if (to === `${folder}/${name}`) steps.push({ kind: 'named', file });
    } else if (call === 'unlink') names.delete(strings[0]?.toString() ?? '');
  }
  return steps;
}

/**
 * What the named file may hold after the power went when `steps` had happened; undefined if there may be none.
 *
 * @param random in [0, 1); decides which sectors of what was not synced made it, and whether a rename did.
 */
export function afterPowerCut(steps: readonly Step[], random: () => number): Buffer | undefined {
  const pending: { file: DiskFile; at: number; data: Buffer }[] = [];
  const contents = new Map<number, Buffer>();
  let named: DiskFile | undefined;
  let renamed: DiskFile | undefined;
  const put = (file: DiskFile, at: number, data: Buffer): void => {
    let content = contents.get(file.id) ?? Buffer.alloc(0);
    if (content.length < at + data.length) {
      content = Buffer.concat([content, Buffer.alloc(at + data.length - content.length)]);
    }
    data.copy(content, at);
    contents.set(file.id, content);
  };
  for (const step of steps) {
    if (step.kind === 'written') pending.push(step);
    else if (step.kind === 'named') renamed = step.file;
    else if (step.kind === 'folder-synced') named = renamed ?? named;
    else if (step.kind === 'synced') {
      for (const write of pending.filter(({ file }) => file === step.file))
        put(write.file, write.at, write.data);
      pending.splice(0, pending.length, ...pending.filter(({ file }) => file !== step.file));
    }
  }
  for (const { file, at, data } of pending) {
    for (let offset = 0; offset < data.length; offset += SECTOR_BYTES) {
      if (random() < 0.5) put(file, at + offset, data.subarray(offset, offset + SECTOR_BYTES));
    }
  }
  const file = renamed !== undefined && random() < 0.5 ? renamed : named;
  return file === undefined ? undefined : contents.get(file.id);
}

/** Joins what strace prints in two pieces when another thread came between. */
function* calls(trace: string): Generator<Call> {
  const unfinished = new Map<string, string>();
  for (const line of trace.split('\n')) {
    const begun = /^(\d+) +(\w+\(.*) <unfinished \.\.\.>$/.exec(line);
    if (begun !== null) {
      unfinished.set(begun[1] ?? '', begun[2] ?? '');
      continue;
    }
    const resumed = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line);
    const whole =
      resumed === null ? line.replace(/^\d+ +/, '') : (unfinished.get(resumed[1] ?? '') ?? '') + resumed[2];
    const call = /^(\w+)\((.*)\) += (-?\d+)/s.exec(whole);
    if (call !== null)
      yield { name: call[1] ?? '', args: (call[2] ?? '').trimEnd(), result: Number(call[3]) };
  }
}

/** The strings in the arguments, which strace -xx prints as hexadecimal escapes. */
const stringsIn = (args: string): Buffer[] =>
  [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, escaped = '']) =>
    Buffer.from(escaped.replaceAll('\\x', ''), 'hex'),
  );
