/** A process of its own, with `--expose-gc`, that feeds decoders and tells ../fuzz.ts what it is about to do. */
import fc from 'fast-check';
import { CONTROLS, type Finding } from './controls.ts';
import { inputsNear, textOf } from './inputs.ts';
import { faultIn, isPolluted } from './oracle.ts';
import { targets, type Target } from './targets.ts';

/** What the process tells whoever watches it. */
export type Report =
  | { kind: 'round'; target: string; seed: number; inputs: number }
  | { kind: 'finding'; finding: Finding; what: string }
  | { kind: 'end'; inputs: number; targets: number; grownBytes: number };

export const ROUND = 250;
/** Rounds of each target before the heap is measured: code is compiled, caches are full. */
const WARM_UP_ROUNDS = 2;
/** Far more than noise, and less than 20 bytes kept for each of a million inputs. */
const MOST_GROWTH_BYTES = 16 * 2 ** 20;
const LONGEST_EXCERPT = 600;

const [what = '', wanted = '', seed = ''] = process.argv.slice(2);
const tell = (report: Report) => process.send?.(report);
const broken = new Set<Target>();

const all = Object.hasOwn(CONTROLS, what) ? [CONTROLS[what as Finding]] : await targets();
for (const target of all)
  if (!(await acceptsAny(target))) report(target, 'crash', 'accepts nothing of its corpus');
await run(Number(wanted), Number(seed));
process.disconnect?.();

async function run(inputs: number, first: number): Promise<void> {
  let [done, before] = [0, Infinity];
  const inputsOf = new Map(all.map((target) => [target, inputsNear(target.corpus)]));
  for (let round = 0; done < inputs; round += 1) {
    if (round === WARM_UP_ROUNDS) before = heapBytes();
    for (const [target, arbitrary] of inputsOf) {
      if (done >= inputs) break;
      if (!broken.has(target)) await feed(target, arbitrary, (first + done) | 0);
      done += ROUND;
    }
  }
  const grownBytes = Math.max(0, heapBytes() - before);
  const finding = `the heap grew by ${grownBytes} bytes`;
  if (grownBytes > MOST_GROWTH_BYTES) tell({ kind: 'finding', finding: 'growth', what: finding });
  tell({ kind: 'end', inputs: done, targets: all.length, grownBytes });
}

/** One round; what it finds is made as small as fast-check can, and the target is left alone from then on. */
async function feed(target: Target, arbitrary: fc.Arbitrary<string>, seed: number): Promise<void> {
  tell({ kind: 'round', target: target.name, seed, inputs: ROUND });
  const property = fc.asyncProperty(arbitrary, async (text) => {
    const fault = await faultOf(target, text);
    if (fault !== undefined) throw new Error(fault);
  });
  const { failed, counterexample, errorInstance } = await fc.check(property, { seed, numRuns: ROUND });
  if (isPolluted())
    return report(target, 'pollution', `prototypes were changed in the round of seed ${seed}`);
  if (!failed) return;
  const why = errorInstance instanceof Error ? errorInstance.message : 'failed';
  const input = JSON.stringify(counterexample?.[0]).slice(0, LONGEST_EXCERPT);
  report(target, why.startsWith('answers') ? 'code' : 'crash', `${why}\n    for ${input}`);
}

async function faultOf(target: Target, text: string): Promise<string | undefined> {
  try {
    await target.take(text);
    return undefined;
  } catch (error) {
    return faultIn(error);
  }
}

async function acceptsAny({ corpus, take }: Target): Promise<boolean> {
  for (const seed of corpus) {
    const refused = await Promise.resolve(textOf(seed)).then(take).then(() => false, () => true); // prettier-ignore
    if (!refused) return true;
  }
  return false;
}

function report(target: Target, finding: Finding, why: string): void {
  broken.add(target);
  tell({ kind: 'finding', finding, what: `${target.name}: ${why}` });
}

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('start with --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
