import { LANES } from '../lanes.ts';
import type { DurableQueue } from '../queue.ts';
import type { CrashReport } from './crash-writer.ts';
import { ledgerHolds, NO_LIMIT } from './test-queue.ts';

/** What {@link Testimony.broken} says of a store that kept its promises. */
export const KEPT = { lost: [], back: [], orders: [], counters: [] };

/** What all lives of the writer told, taken together. */
export class Testimony {
  readonly stored = new Map<string, { epoch: string; lane: string; seq: number }>();
  readonly maybeGone = new Set<string>();
  readonly gone = new Set<string>();
  /** epoch, lane, seq → id: a seq means one message for ever. */
  readonly owners = new Map<string, string>();
  readonly asked = new Map<string, number>();
  readonly journalled = new Map<string, number>();

  hear(report: CrashReport): void {
    if (report.kind === 'stored') {
      report.ids.forEach((id, index) => {
        const place = { epoch: report.epoch, lane: report.lane, seq: report.from + index };
        this.stored.set(id, place);
        this.own(place, id);
      });
    } else if (report.kind === 'receipting') for (const id of report.ids) this.maybeGone.add(id);
    else if (report.kind === 'receipted') for (const id of report.ids) this.gone.add(id);
    else if (report.kind === 'journalling') this.asked.set(report.orderId, report.attempt);
    else if (report.kind === 'journalled') this.journalled.set(report.orderId, report.attempt);
  }

  own({ epoch, lane, seq }: { epoch: string; lane: string; seq: number }, id: string): void {
    const key = `${epoch} ${lane} ${seq}`;
    const owner = this.owners.get(key);
    if (owner !== undefined && owner !== id) throw new Error(`${key} was given to ${owner} and to ${id}`);
    this.owners.set(key, id);
  }

  /** Promises that the store did not keep, and counters that are not true. */
  broken(queue: DurableQueue): { lost: string[]; back: string[]; orders: string[]; counters: string[] } {
    const found = new Set<string>();
    const counters: string[] = ledgerHolds(queue) ? [] : ['ledger'];
    for (const lane of LANES) {
      let messages = 0;
      let bytes = 0;
      for (const stored of queue.read(lane, 0, NO_LIMIT)) {
        found.add(stored.id);
        this.own({ epoch: queue.epoch, lane, seq: stored.seq }, stored.id);
        messages += 1;
        bytes += stored.bytes;
      }
      const counted = queue.lanes()[lane];
      if (counted.messages !== messages || counted.bytes !== bytes) counters.push(lane);
    }
    return {
      counters,
      lost: [...this.stored.keys()].filter((id) => !this.maybeGone.has(id) && !found.has(id)),
      back: [...this.gone].filter((id) => found.has(id)),
      orders: [...this.journalled].flatMap(([orderId, attempt]) => {
        const stored = queue.order(orderId)?.attempt ?? -1;
        return stored >= attempt && stored <= (this.asked.get(orderId) ?? -1) ? [] : [orderId];
      }),
    };
  }
}
