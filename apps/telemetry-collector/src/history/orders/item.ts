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

/** What an order asks for. */
export interface HistorySource {
  /** Bytes of the whole answer as JSON, and what it is made of; exact or a little more. */
  estimate(signal: AbortSignal): Promise<{ bytes: number; items: number; advice: string }>;
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
