import { originOf, sorted } from './device.ts';
import type { Violation } from './properties.ts';
import type { Taken } from './server.ts';
import type { Held, History } from './world.ts';

export const seqsOf = (messages: readonly Held[]): string =>
  [...new Set([messages[0]?.seq, messages.at(-1)?.seq])].join(' to ');
export const namesOf = (messages: readonly { id: string }[]): string =>
  messages.map(({ id }) => id).join(' and ');

/** In words. */
export function whatIsDone(messages: readonly Held[], { kept, rejects }: Taken): string {
  const known = messages.filter(({ id }) => ![...kept, ...rejects].some((other) => other.id === id));
  const parts = [
    ['stores', kept],
    ['knows already', known],
    ['keeps as refused', rejects],
  ] as const;
  return parts.flatMap(([what, which]) => (which.length === 0 ? [] : `${what} ${namesOf(which)}`)).join(', ');
}

/** What really happened by this, and what of it must not. */
export function withTaken(
  before: History,
  { lane, messages, of }: { lane: string; messages: readonly Held[]; of: number },
  { kept, rejects }: Taken,
): { history: History; violation: Violation | undefined } {
  let history = before;
  let violation: Violation | undefined;
  for (const message of messages) {
    const { id, body } = message;
    const refused = rejects.find((reject) => reject.id === id);
    if (refused !== undefined) {
      if (body.type !== 'bad')
        violation = { property: 'no-seq-reused', detail: `the server refuses ${id}: ${refused.code}` };
      history = { ...history, refused: [...new Set([...history.refused, id])].toSorted() };
    }
    const isKept = kept.some((one) => one.id === id);
    const one = withOneTaken(history, { ...message, lane, generation: of }, isKept);
    history = one.history;
    violation ??= one.violation;
  }
  return { history, violation };
}

function withOneTaken(
  past: History,
  { id, lane, seq, generation }: { id: string; lane: string; seq: number; generation: number },
  kept: boolean,
): { history: History; violation: Violation | undefined } {
  const under = `${generation} ${lane} ${seq}`;
  const before = past.seen[under];
  const history = { ...past, seen: sorted({ ...past.seen, [under]: id }) };
  if (before !== undefined && before !== id) {
    const detail = `within one epoch seq ${seq} of ${lane} was ${before} and is now ${id}`;
    return { history, violation: { property: 'no-seq-reused', detail } };
  }
  if (!kept) return { history, violation: undefined };
  const origin = originOf(id);
  const again = history.taken.includes(origin) && (lane === 'events' || lane === 'results');
  const violation: Violation | undefined = again
    ? { property: 'taken-once', detail: `the server took ${origin} a second time` }
    : undefined;
  const add = (ids: readonly string[]) => (ids.includes(origin) ? ids : [...ids, origin].toSorted());
  return { history: { ...history, taken: add(history.taken), ever: add(history.ever) }, violation };
}
