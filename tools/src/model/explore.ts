import { hash } from 'node:crypto';
import type { Violation } from './properties.ts';

export interface Outcome {
  states: number;
  steps: number;
  /** Length of the longest of the shortest ways to a state. */
  depth: number;
  violation?: Violation;
  /** A shortest way to it, one step a line. */
  trace: string[];
}

/** One step: what happens, and the world after it. */
export interface Step<World> {
  label: string;
  world: World;
  violation?: { property: string; detail: string };
}

/** What can be explored. */
export interface Explorable<World> {
  begin(): World;
  /** What may happen next by itself … */
  moves(world: World): Promise<Step<World>[]>;
  /** … and what may go wrong. */
  faults(world: World): Step<World>[];
  /** What is wrong with a world in which nothing happens any more by itself. */
  atRest(world: World): Violation | undefined;
  /** Equal for equal worlds. */
  keyOf(world: World): string;
}

interface Waiting<World> {
  number: number;
  world: World;
}

/**
 * Every state that can come up, nearest first, so that the first violation is a shortest one. A state is known again by a
 * hash of all that it is. That every run comes to rest once faults stop is judged at the end: the steps without faults must
 * form no circle, and wherever none of them is left, all must be as it should.
 */
export async function explore<World>(model: Explorable<World>, mostStates = 2_000_000): Promise<Outcome> {
  const known = new Map<string, number>();
  const parents: number[] = [];
  const labels: string[] = [];
  const follows: [number, number][] = [];
  let frontier: Waiting<World>[] = [];
  let steps = 0;
  let depth = 0;

  const wayTo = (number: number): string[] => {
    const way: string[] = [];
    for (let at = number; at > 0; at = parents[at] ?? 0) way.push(labels[at] ?? '');
    return way.toReversed();
  };
  const outcome = (violation?: Violation, trace: string[] = []): Outcome => ({
    states: known.size,
    steps,
    depth,
    ...(violation === undefined ? {} : { violation }),
    trace,
  });
  const visit = (world: World, parent: number, label: string, into: Waiting<World>[]): number => {
    const key = hash('md5', model.keyOf(world), 'base64');
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const number = known.size;
    known.set(key, number);
    parents.push(parent);
    labels.push(label);
    into.push({ number, world });
    return number;
  };

  visit(model.begin(), 0, '', frontier);
  while (frontier.length > 0) {
    const next: Waiting<World>[] = [];
    for (const { number, world } of frontier) {
      const moves = await model.moves(world);
      if (moves.length === 0) {
        const violation = model.atRest(world);
        if (violation !== undefined) return outcome(violation, wayTo(number));
      }
      const all = [...moves, ...model.faults(world)];
      for (const [index, move] of all.entries()) {
        steps += 1;
        if (move.violation !== undefined)
          return outcome(move.violation as Violation, [...wayTo(number), move.label]);
        const after = visit(move.world, number, move.label, next);
        if (index < moves.length) follows.push([number, after]);
      }
    }
    if (known.size > mostStates)
      throw new RangeError(`more than ${mostStates} states: make the scenario smaller`);
    frontier = next;
    depth += 1;
  }
  const circling = onACircle(known.size, follows);
  if (circling === undefined) return outcome();
  return outcome(
    { property: 'nothing-stands-still', detail: 'from here it can go round and round for ever' },
    wayTo(circling),
  );
}

/** A state that is on a circle of steps, or leads into one only; undefined if every way ends. */
function onACircle(states: number, follows: readonly [number, number][]): number | undefined {
  const before: number[][] = Array.from({ length: states }, () => []);
  const open = new Int32Array(states);
  for (const [from, to] of follows) {
    before[to]?.push(from);
    open[from] = (open[from] ?? 0) + 1;
  }
  const ended: number[] = [];
  for (let state = 0; state < states; state += 1) if (open[state] === 0) ended.push(state);
  for (let state = ended.pop(), count = 0; ; state = ended.pop()) {
    if (state === undefined) return count === states ? undefined : open.findIndex((steps) => steps > 0);
    count += 1;
    for (const from of before[state] ?? []) {
      open[from] = (open[from] ?? 0) - 1;
      if (open[from] === 0) ended.push(from);
    }
  }
}
