/** Longer messages are cut. */
const MOST_MESSAGE_CHARS = 16 * 1024;

/** An entry as `journalctl --output=json` prints it (systemd.journal-fields(7)): every value is a text, but for odd ones. */
export type JournalEntry = Readonly<Record<string, unknown>>;

/** Microseconds since 1970. */
const TIME = '__REALTIME_TIMESTAMP';
const CURSOR = '__CURSOR';

export function isJournalEntry(value: unknown): value is JournalEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { [CURSOR]: cursor, [TIME]: time } = value as JournalEntry;
  return typeof cursor === 'string' && typeof time === 'string' && /^\d{1,16}$/.test(time);
}

/** Epoch milliseconds, with the microseconds behind the point left out. */
export const timeOf = (entry: JournalEntry): number => Math.floor(Number(entry[TIME]) / 1000);

/** Where journalctl goes on behind it. */
export const cursorOf = (entry: JournalEntry): string => String(entry[CURSOR]);

/** What an answer has of an entry, as JSON. */
export function rendered(entry: JournalEntry): string {
  const [unit, identifier] = [
    textOf(entry['_SYSTEMD_UNIT']) ?? textOf(entry['UNIT']),
    textOf(entry['SYSLOG_IDENTIFIER']) ?? textOf(entry['_COMM']),
  ];
  return JSON.stringify({
    time: new Date(timeOf(entry)).toISOString(),
    priority: numberOf(entry['PRIORITY']),
    unit,
    identifier,
    pid: numberOf(entry['_PID']),
    message: textOf(entry['MESSAGE'])?.slice(0, MOST_MESSAGE_CHARS) ?? '',
  });
}

/** A field that is no UTF-8 comes as its bytes, one that an entry has more than once as a list. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  if (value.every((each) => typeof each === 'number')) {
    return new TextDecoder().decode(Uint8Array.from(value));
  }
  return value.map((each) => textOf(each) ?? '').join('\n');
}

function numberOf(value: unknown): number | undefined {
  const text = textOf(value);
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/**
 * Arguments of journalctl for what a unit or a program has logged: by the unit, by the service manager about it, or under that
 * name. @param app undefined: everything.
 */
export function matchesOf(app: string | undefined): string[] {
  if (app === undefined) return [];
  const unit = /\.[a-z]+$/.test(app) ? app : `${app}.service`;
  return [`_SYSTEMD_UNIT=${unit}`, '+', '_PID=1', `UNIT=${unit}`, '+', `SYSLOG_IDENTIFIER=${app}`];
}
