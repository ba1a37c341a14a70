import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { CampaignOptions } from './campaign.ts';
import { CONTROLS, type Finding } from './fuzz/controls.ts';
import type { Report } from './fuzz/rounds.ts';
import { fuzzSockets } from './fuzz/sockets.ts';

/** What the campaign found; `npm run torture -- fuzz --json FILE` writes it. */
export interface FuzzResult {
  name: string;
  seed: number;
  inputs: number;
  targets: number;
  /** Besides those, at the sockets of the built gateway and server. */
  socketInputs: number;
  /** Between the second round of each target and the last, after collection. */
  heapGrewBytes: number;
  /** Crashes, hangs, growth, unknown codes and polluted prototypes together. */
  findings: number;
  /** Whether each fault that was put into a decoder on purpose was found for what it is. */
  controlCaught: boolean;
}

/** A round takes well below a second: this ends what never will, on the slowest machine. */
const HANGS_AFTER_MS = 120_000;
/** That control does hang, so nothing is lost if it is called so early. */
const CONTROL_HANGS_AFTER_MS = 5000;
const CONTROL_INPUTS = 2000;
const LEAST_AT_SOCKETS = 200;
const SLOWER_AT_SOCKETS = 200;

/** Feeds every decoder with input that nobody would send, in a process of its own that is watched. */
export async function fuzz(
  { inputs, seed }: CampaignOptions,
  say: (line: string) => void,
): Promise<FuzzResult> {
  let controlCaught = true;
  for (const control of Object.keys(CONTROLS) as Finding[]) {
    const hangsAfterMs = control === 'hang' ? CONTROL_HANGS_AFTER_MS : HANGS_AFTER_MS;
    const { found } = await watch([control, CONTROL_INPUTS, seed], hangsAfterMs, () => {});
    if (found.length === 1 && found[0] === control) continue;
    controlCaught = false;
    say(`  control ${control} was not caught but ${found.join(', ') || 'nothing'}`);
  }
  const { found, ...counts } = await watch(['all', inputs, seed], HANGS_AFTER_MS, say);
  const sockets = await fuzzSockets(Math.max(LEAST_AT_SOCKETS, inputs / SLOWER_AT_SOCKETS), seed, say);
  for (const finding of sockets.findings) say(`  ${finding}`);
  return {
    name: 'fuzz',
    seed,
    ...counts,
    socketInputs: sockets.inputs,
    findings: found.length + sockets.findings.length,
    controlCaught: controlCaught && sockets.controlCaught,
  };
}

const SAY_EVERY = 100_000;

async function watch(args: (string | number)[], hangsAfterMs: number, say: (line: string) => void) {
  const program = join(import.meta.dirname, 'fuzz', 'rounds.ts');
  const child = fork(program, args.map(String), { execArgv: ['--expose-gc'] });
  const found: Finding[] = [];
  const note = (finding: Finding, what: string): void => {
    found.push(finding);
    say(`  ${finding}: ${what}`);
  };
  let [inputs, targets, heapGrewBytes] = [0, 0, 0];
  let [ended, doing, lastWordAt] = [false, 'its start', performance.now()];
  child.on('message', (report: Report) => {
    lastWordAt = performance.now();
    if (report.kind === 'finding') note(report.finding, report.what);
    else if (report.kind === 'round') {
      inputs += report.inputs;
      doing = `${report.target}, seed ${report.seed}`;
      if (inputs % SAY_EVERY === 0) say(`  ${inputs} inputs`);
    } else {
      ended = true;
      ({ inputs, targets, grownBytes: heapGrewBytes } = report);
    }
  });
  let hung = false;
  const watchdog = setInterval(() => {
    if (performance.now() - lastWordAt > hangsAfterMs) hung = child.kill('SIGKILL');
  }, 200);
  await once(child, 'close');
  clearInterval(watchdog);
  if (hung) note('hang', `no end of a round after ${hangsAfterMs} ms: ${doing}`);
  else if (!ended) note('crash', `the process ended: ${doing}`);
  return { found, inputs, targets, heapGrewBytes };
}
