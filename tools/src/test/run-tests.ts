/**
 * `npm test`: the tests of every package, then what failed, what was skipped and why, and a true closing line.
 * `npm test -- --base=REF`: only of the packages that a change since REF can have touched.
 */
import { parseArgs } from 'node:util';
import { testPackages } from './package-tests.ts';
import { printTally } from './print-tally.ts';

const { values } = parseArgs({ options: { base: { type: 'string' } } });
printTally(await testPackages(values.base));
