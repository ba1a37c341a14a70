import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { explore, type Explorable } from './explore.ts';
import { findAll, PAGE_FILE, pageText, type Findings } from './page.ts';
import { RULE_NAMES, RULES } from './rules.ts';
import { SCENARIO_NAMES } from './scenarios.ts';

let findings: Findings;

beforeAll(async () => {
  findings = await findAll();
}, 600_000);

describe('the protocol', () => {
  test.each(SCENARIO_NAMES)('when every rule is kept, all holds in %s', (name) => {
    const { violation, trace, states } = findings.scenarios[name];
    expect({ violation, trace }).toEqual({ violation: undefined, trace: [] });
    expect(states).toBeGreaterThan(500);
  });

  test.each(RULE_NAMES)('when the rule %s is left out, what it is for fails', (name) => {
    const { violation, trace } = findings.rules[name];
    expect(violation?.property).toBe(RULES[name].breaks);
    expect(trace.length).toBeGreaterThan(1);
  });

  test('when the page is made anew, it is the one in the repository', () => {
    expect(readFileSync(PAGE_FILE, 'utf8')).toBe(pageText(findings));
  });
});

describe('the search', () => {
  /** A model whose states are numbers; it is at rest as it should be at 9 only. */
  const numbers = (
    next: (state: number) => number[],
    faults: (state: number) => number[] = () => [],
  ): Explorable<number> => {
    const step = (state: number) => ({ label: `to ${state}`, world: state });
    return {
      begin: () => 0,
      moves: (from) => Promise.resolve(next(from).map(step)),
      faults: (from) => faults(from).map(step),
      atRest: (last) =>
        last === 9 ? undefined : { property: 'nothing-stands-still', detail: `rests at ${last}` },
      keyOf: String,
    };
  };

  test('when every way ends as it should, nothing is found', async () => {
    const outcome = await explore(numbers((state) => (state < 9 ? [state + 1, 9] : [])));
    expect(outcome).toMatchObject({ states: 10, trace: [] });
    expect(outcome.violation).toBeUndefined();
  });

  test('when a way ends too early, the shortest one is told', async () => {
    const outcome = await explore(
      numbers(
        (state) => (state === 5 || state === 9 ? [] : [state + 1]),
        (state) => (state === 1 ? [5] : []),
      ),
    );
    expect(outcome.trace).toEqual(['to 1', 'to 5']);
  });

  test('when it can go round for ever, that is found; when only faults lead back, it is not', async () => {
    const back = (state: number) => (state === 3 ? [1] : []);
    const on = (state: number) => (state < 9 ? [state + 1] : []);
    expect((await explore(numbers((state) => [...on(state), ...back(state)]))).violation?.detail).toMatch(
      'round',
    );
    expect((await explore(numbers(on, back))).violation).toBeUndefined();
  });

  test('when there are more states than are allowed, it says so', async () => {
    await expect(
      explore(
        numbers((state) => [state + 1]),
        50,
      ),
    ).rejects.toThrow('make the scenario smaller');
  });
});
