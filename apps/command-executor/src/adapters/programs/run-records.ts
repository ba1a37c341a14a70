import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, writeFileDurably, type Logger } from '@bowline/runtime';
import { hasCode, TransientError } from '@bowline/runtime/errors';
import { ProcessTree, type RunMark } from './process-tree.ts';

/** A program that was about to begin. Of another boot it says nothing any more: its processes are gone. */
interface RunRecord extends RunMark {
  orderId: string;
  command: string;
  bootId: string;
}

const SUFFIX = '.json';

/**
 * Which programs are under way, on disk before each begins, one file an order: after `kill -9` the next life finds and ends
 * what the last one left running, before anything is run again.
 */
export class RunRecords {
  readonly #folder: string;
  readonly #bootId = bootId();
  readonly #orphans = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** @throws TransientError `run-unrecorded`: the program must not begin. */
  begin(orderId: string, command: string, { mark, pid, startTicks, group }: RunMark): void {
    const record: RunRecord = { orderId, command, mark, pid, startTicks, group, bootId: this.#bootId };
    try {
      writeFileDurably(this.#file(orderId), JSON.stringify(record));
    } catch (error) {
      throw new TransientError('run-unrecorded', `that it runs cannot be recorded: ${String(error)}`, {
        cause: error,
      });
    }
  }

  end(orderId: string): void {
    rmSync(this.#file(orderId), { force: true });
  }

  /** Ends what earlier lives left running. Call it before anything is run. */
  async sweep(log: Pick<Logger, 'warn'>, graceMs: number): Promise<void> {
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith(SUFFIX)) {
        rmSync(join(this.#folder, name), { force: true }); // half of a record: its program never began
        continue;
      }
      const record = this.#read(name);
      if (record !== undefined) await this.#endOrphan(record, log, graceMs);
      rmSync(join(this.#folder, name), { force: true });
    }
  }

  /** What was found of an order's program when this process came up, for its answer. */
  orphan(orderId: string): string | undefined {
    return this.#orphans.get(orderId);
  }

  async #endOrphan(record: RunRecord, log: Pick<Logger, 'warn'>, graceMs: number): Promise<void> {
    const { orderId, command } = record;
    if (record.bootId !== this.#bootId) {
      this.#orphans.set(orderId, 'the machine has been restarted since');
      return;
    }
    const { found, left } = await new ProcessTree(record).end(graceMs);
    const processes = found === 1 ? 'process' : 'processes';
    const about =
      found === 0
        ? 'its program had ended by then, how is not known'
        : `its program still ran (${found} ${processes}) and was ended${left === 0 ? '' : `, except ${left}`}`;
    this.#orphans.set(orderId, about);
    log.warn({ orderId, command, found, left }, `left by an earlier life: ${about}`);
  }

  /** A record that cannot be read is of a disk that lost it: nothing is known. */
  #read(name: string): RunRecord | undefined {
    try {
      const value = JSON.parse(readFileSync(join(this.#folder, name), 'utf8')) as RunRecord;
      const isWhole = typeof value.mark === 'string' && value.mark !== '' && Number.isSafeInteger(value.pid);
      return isWhole ? value : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #file(orderId: string): string {
    return join(this.#folder, orderId + SUFFIX);
  }
}
