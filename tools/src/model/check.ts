import { explore, type Outcome } from './explore.ts';
import { Fleet } from './fleet.ts';
import { Model } from './model.ts';
import type { RealCode } from './real-code.ts';
import { RULES, type RuleName } from './rules.ts';
import { SCENARIOS, type Scenario, type ScenarioName } from './scenarios.ts';

/** Explores a scenario with every rule kept. */
export const checkScenario = (code: RealCode, name: ScenarioName): Promise<Outcome> =>
  check(code, SCENARIOS[name]);

/** Explores the scenario of a rule without that rule: there is a violation, or the rule is none. */
export const checkWithout = (code: RealCode, name: RuleName): Promise<Outcome> =>
  check(code, SCENARIOS[RULES[name].scenario], name);

/** More states than these do not fit into memory. */
const MOST_STATES = 10_000_000;

/** Explores a scenario with every rule kept and so many faults in one run. */
export const checkDeeper = (code: RealCode, name: ScenarioName, mostFaults: number): Promise<Outcome> =>
  check(code, { ...SCENARIOS[name], mostFaults }, undefined, MOST_STATES);

function check(
  code: RealCode,
  scenario: Scenario,
  without?: RuleName,
  mostStates?: number,
): Promise<Outcome> {
  const { second } = scenario;
  return second === undefined
    ? explore(new Model(code, scenario, without), mostStates)
    : explore(new Fleet(code, scenario, second, without), mostStates);
}
