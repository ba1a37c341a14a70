/**
 * Lives of stores with everything that can go wrong, against the model: `node hard-lives.ts FOLDER SEED RUNS`, FOLDER on a
 * file system of its own that may run full. Tells what happened as one JSON object; exits 1 with the life that
 * went wrong.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { fate } from './fate.ts';
import { HardLife } from './hard-life.ts';

const [, , folder = '', seed = '1', runs = '1'] = process.argv;
const seen: Record<string, number> = {};
const property = fc.asyncProperty(fate, async (chosen) => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  await new HardLife(folder, seen).live(chosen);
});
// What a life shrinks to does not fail for sure: a kill comes at another instant. So the life itself is shown.
const { failed, counterexample, errorInstance } = await fc.check(property, {
  numRuns: Number(runs),
  seed: Number(seed),
  endOnFailure: true,
});
if (failed) {
  const { stack } = errorInstance as Error;
  process.stderr.write(`${JSON.stringify(counterexample?.[0])}\n${stack}\n`);
}
process.stdout.write(JSON.stringify(seen));
process.exitCode = failed ? 1 : 0;
