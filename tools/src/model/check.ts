import { explore, type Outcome } from './explore.ts';
import { Model } from './model.ts';
import type { RealCode } from './real-code.ts';
import { RULES, type RuleName } from './rules.ts';
import { SCENARIOS, type ScenarioName } from './scenarios.ts';

/** Explores a scenario with every rule kept. */
export const checkScenario = (code: RealCode, name: ScenarioName): Promise<Outcome> =>
  explore(new Model(code, SCENARIOS[name]));

/** Explores the scenario of a rule without that rule: there is a violation, or the rule is none. */
export const checkWithout = (code: RealCode, name: RuleName): Promise<Outcome> =>
  explore(new Model(code, SCENARIOS[RULES[name].scenario], name));
