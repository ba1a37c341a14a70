/** `npm run model -- SCENARIO [--faults N]`: searches one of the small worlds, by itself and as deep as is asked. */
import { parseArgs } from 'node:util';
import { checkDeeper } from './check.ts';
import { loadRealCode } from './real-code.ts';
import { SCENARIO_NAMES, SCENARIOS } from './scenarios.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { faults: { type: 'string' } },
});
const name = SCENARIO_NAMES.find((known) => known === positionals[0]);
const faults = Number(values.faults ?? (name && SCENARIOS[name].mostFaults));
if (name === undefined || !Number.isSafeInteger(faults) || faults < 0) {
  console.error(
    `usage: npm run model -- SCENARIO [--faults N], SCENARIO one of\n${SCENARIO_NAMES.join('\n')}`,
  );
  process.exit(2);
}
const { states, steps, depth, violation, trace } = await checkDeeper(await loadRealCode(), name, faults);
console.log(`${name}, at most ${faults} faults: ${states} states, ${steps} steps, ${depth} deep`);
if (violation === undefined) console.log('everything holds');
else {
  console.log([`${violation.property} fails: ${violation.detail}`, ...trace].join('\n'));
  process.exitCode = 1;
}
