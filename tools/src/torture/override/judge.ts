import type { StoredEvent } from '@bowline/messages';
import type { HubRequests } from '@bowline/messages/hub';

/** What one `bowline config set` or `unset` of `link.url` was about. */
export interface Change {
  from: string;
  to: string;
  /** Whether a link can come to stand under `to`. */
  isGood: boolean;
}

/** Where device, command line and server stand when all is over. */
export interface Standing {
  device: HubRequests['config']['response'];
  /** What counts where the override says nothing. */
  underneath: string;
  /** The override's text; undefined: there is no file. */
  file: string | undefined;
  /** As it was before the change. */
  fileBefore: string | undefined;
  /** What the command line ended with; undefined: it was killed. */
  exitCode: number | undefined;
  isOnline: boolean;
  /** The addresses by which the device has a connection now. */
  ways: readonly string[];
  /** Events that the server has not receipted yet. */
  unsent: number;
  /** What it has heard of this change. */
  events: readonly StoredEvent[];
}

/** Exit codes of the command line: it is in force, it went back, or the gateway was away when it asked whether it may. */
const SAID = [0, 10, 4];

/** The address that is in force. */
export const inForce = ({ apps }: HubRequests['config']['response']): string =>
  String(apps['ws-gateway']?.view?.entries.find(({ key }) => key === 'link.url')?.value);

/**
 * What is not as it must be. Whoever was killed: the old address or the new one is in force, the new one only if a link has
 * proven it, and the device is online on that very way; the file is whole; and whoever lived to say something said the truth.
 */
export function wrongWith({ from, to, isGood }: Change, standing: Standing): string[] {
  const { device, underneath, file, fileBefore, exitCode, isOnline, ways, unsent, events } = standing;
  const wrong: string[] = [];
  const check = (holds: boolean, what: string) => {
    if (!holds) wrong.push(what);
  };
  const is = inForce(device);
  const view = device.apps['ws-gateway']?.view;
  check(device.phase === 'settled', `the trial is not over: ${device.phase}`);
  check(is === from || (is === to && isGood), `in force: ${is}, neither the old nor a proven one`);
  check(isOnline, 'the device is not online');
  check(ways.length === 1 && ways[0] === is, `in force: ${is}, but connected by ${ways.join(', ')}`);

  const written = addressIn(file, underneath);
  check(written === from || written === to || file === fileBefore, `the file is torn: ${file}`);
  check(
    (written !== is) === (view?.refused !== undefined),
    `the file says ${written}, in force is ${is}, and it is ${view?.refused === undefined ? 'not ' : ''}called refused`,
  );

  check(unsent === 0, `${unsent} event(s) are not delivered`);
  const applied = events.filter(({ data }) => data['status'] === 'applied').length;
  check(events.length <= 1, `the server heard ${events.length} ends`);
  check(applied === (is === to && is !== from ? 1 : 0), `the server heard of ${applied} change(s) kept`);

  if (exitCode === undefined) return wrong;
  check(SAID.includes(exitCode), `it ended with ${exitCode}`);
  check(exitCode === 0 ? is === to : is === from, `it ended with ${exitCode}, in force is ${is}`);
  // An override that was refused before is not put back: what is in force is written in its place.
  const wasRefused = addressIn(fileBefore, underneath) !== from;
  const isPutBack = file === fileBefore || (wasRefused && written === from);
  check(exitCode === 0 ? written === to : isPutBack, `it ended with ${exitCode}, written is ${file}`);
  return wrong;
}

function addressIn(file: string | undefined, underneath: string): string {
  try {
    return (JSON.parse(file ?? '{}') as { link?: { url?: string } }).link?.url ?? underneath;
  } catch {
    return 'torn';
  }
}
