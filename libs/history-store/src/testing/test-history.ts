import type { Sample } from '@bowline/messages';
import { temporaryFolder } from '@bowline/testing';
import { History, type HistoryOptions } from '../history.ts';
import type { HistoryIncident } from '../open-file.ts';

export const AT = 1_790_000_000_000 - (1_790_000_000_000 % 3_600_000);
export const DAY_MS = 86_400_000;
const MIB = 2 ** 20;

/** So many samples of a series, one a second from `from` on; their values tell them apart. */
export const seconds = (series: string, count: number, from = AT): Sample[] =>
  Array.from({ length: count }, (_, index) => ({
    series,
    at: from + 1000 * index,
    value: Math.round(1000 * Math.sin((from / 1000 + index) / 60)) / 100,
    unit: 'Cel',
  }));

export function openTestHistory(
  options: Partial<HistoryOptions> = {},
  retention: Partial<HistoryOptions['retention']> = {},
) {
  const folder = options.folder ?? temporaryFolder();
  const incidents: HistoryIncident[] = [];
  const damaged: unknown[] = [];
  const history = new History({
    reserveBytes: 0,
    mostSeries: 10_000,
    onIncident: (incident) => void incidents.push(incident),
    onDamagedBlock: (head) => void damaged.push(head),
    ...options,
    folder,
    retention: {
      rawMs: 7 * DAY_MS,
      minutesMs: 90 * DAY_MS,
      hoursMs: 1000 * DAY_MS,
      maxBytes: 64 * MIB,
      ...retention,
    },
  });
  return { history, folder, incidents, damaged };
}
