/** One point, line or entry of an answer. */
export interface Item {
  /** Epoch milliseconds; rising within a group, unless it has a mark. */
  at: number;
  /** As JSON. */
  text: string;
  /** Points of one series stand together, under its name and unit. */
  group?: { series: string; unit?: string };
  /** Where its source finds it again, if a moment does not say that well enough. */
  mark?: string;
}

/** Up to where an answer was given: behind so many items of that moment, in that group. */
export interface Cursor {
  group: number;
  at: number;
  skip: number;
  /** Of the last item, see {@link Item.mark}. */
  mark?: string;
}

export interface Estimated {
  bytes: number;
  items: number;
  /** How to ask for less. */
  advice: string;
  /** There is more; nobody has looked how much. */
  isMore?: boolean;
}

/** What an order asks for. */
export interface HistorySource {
  /**
   * Bytes of the whole answer as JSON, and what it is made of; exact or a little more.
   *
   * @param enough where counting may end, bytes, default nowhere: the answer is too large by then, and to read on would cost time for nothing.
   */
  estimate(signal: AbortSignal, enough?: number): Promise<Estimated>;
  /** From a cursor on, in an order that is the same each time. `group` counts the series. */
  items(from: Cursor, signal: AbortSignal): AsyncIterable<Item & { groupIndex: number }>;
}

export const BEGINNING: Cursor = { group: 0, at: 0, skip: 0 };

/** The cursor behind an item that came behind `before`. */
export function behind(
  before: Cursor,
  { groupIndex: group, at, mark }: { groupIndex: number; at: number; mark?: string },
): Cursor {
  const skip = before.group === group && before.at === at ? before.skip + 1 : 1;
  return { group, at, skip, ...(mark === undefined ? {} : { mark }) };
}
