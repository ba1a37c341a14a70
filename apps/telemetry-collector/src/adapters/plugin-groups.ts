import { readFileSync } from 'node:fs';
import { bootId, processStat, readJsonIfPresent, type Logger } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';
import { SpareFile } from './spare-file.ts';

interface Group {
  pid: number;
  /** When its leader started, in the kernel's ticks since boot: a pid alone may be somebody else's by now. */
  startTicks: string;
}

/**
 * Which process groups are ours, on the disk: if this process is killed, its plug-ins go on, and the next life ends them
 * before it starts its own.
 */
export class PluginGroups {
  readonly #path: string;
  readonly #file: SpareFile;
  readonly #groups = new Map<string, Group>();

  constructor(path: string, log: Pick<Logger, 'warn'>) {
    this.#path = path;
    this.#file = new SpareFile(path, log);
  }

  /** Ends what an earlier life has left behind; how many groups that were. */
  endLeftovers(): number {
    const leftovers = readGroups(this.#path).filter(
      ({ pid, startTicks }) => startTicksOf(pid) === startTicks,
    );
    for (const { pid } of leftovers) {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch (error) {
        if (!hasCode(error, 'ESRCH', 'EPERM')) throw error;
      }
    }
    return leftovers.length;
  }

  started(name: string, pid: number): void {
    const startTicks = startTicksOf(pid);
    if (startTicks === undefined) return;
    this.#groups.set(name, { pid, startTicks });
    this.#write();
  }

  ended(name: string): void {
    if (this.#groups.delete(name)) this.#write();
  }

  #write(): void {
    this.#file.write(JSON.stringify({ bootId: bootId(), groups: [...this.#groups.values()] }));
  }
}

/** Of this boot only; a file that does not read counts as none. */
function readGroups(file: string): Group[] {
  const value = readJsonIfPresent(file);
  const { bootId: ofBoot, groups } = (value ?? {}) as { bootId?: unknown; groups?: unknown };
  if (ofBoot !== bootId() || !Array.isArray(groups)) return [];
  return (groups as Partial<Group>[]).filter(
    (group): group is Group =>
      Number.isSafeInteger(group.pid) && Number(group.pid) > 1 && typeof group.startTicks === 'string',
  );
}

function startTicksOf(pid: number): string | undefined {
  try {
    return String(processStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).startTicks);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
