import type { HubRequests } from '@bowline/messages/hub';
import { askGateway } from '../adapters/gateway.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { dayAndTime } from '../core/format.ts';
import type { Context } from './context.ts';

type Answer = HubRequests['localHistory']['response'];
type Point = Answer['points'][number];

/** The collector may have to read much. */
const ANSWER_WITHIN_MS = 20_000;
const APP = 'telemetry-collector';

/** `bowline history`: which series there are. */
export async function historySeries({ json, version, installation }: Context): Promise<void> {
  const { names } = await askGateway({ ...installation(), version }, 'localHistory', { from: 0, to: 1 });
  if (json) return printJson({ series: names });
  print(names.length === 0 ? 'Nothing has been recorded yet.' : names.join('\n'));
}

/** `bowline history show SERIES`: what the device itself has recorded, however much that is. */
export async function showHistory(
  { json, version, installation }: Context,
  series: string,
  { from, to, resolutionMs }: { from: number; to: number; resolutionMs: number | undefined },
): Promise<void> {
  const points: Point[] = [];
  let unit: string | undefined;
  for (let next: number | undefined = from; next !== undefined;) {
    const answer: Answer = await askGateway(
      { ...installation(), version },
      'localHistory',
      { series, from: next, to, ...(resolutionMs === undefined ? {} : { resolutionMs }) },
      { answerWithinMs: ANSWER_WITHIN_MS },
    );
    points.push(...answer.points);
    unit = answer.unit;
    next = answer.next;
  }
  if (json) return printJson({ series, unit, from, to, points });
  if (points.length === 0) return print(`Nothing has been recorded of ${series} in that time.`);
  const value = unit === undefined ? 'value' : `value (${unit})`;
  const joined = points.some(({ count }) => count !== undefined);
  print(table(['when', value, ...(joined ? ['least', 'greatest', 'samples'] : [])], points.map(rowOf)));
}

const rowOf = ({ at, value, avg, min, max, count }: Point): string[] => [
  dayAndTime(at),
  String(value ?? avg ?? ''),
  ...(count === undefined ? [] : [min, max, count].map(String)),
];

/** `bowline history upload [LOG]`: what the history alone has, or what is new of a log, goes to the gateway now. */
export async function uploadHistory(
  { json, version, installation }: Context,
  log: string | undefined,
): Promise<void> {
  const job = log === undefined ? 'history-upload' : `upload-${log}`;
  await askGateway({ ...installation(), version }, 'runJob', { app: APP, job });
  if (json) printJson({ started: true });
  else print('The upload has begun; bowline status shows how it stands.');
}
