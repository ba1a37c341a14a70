import { TransientError, wait } from '@bowline/runtime';
import { judgeTrial } from '../core/judge-trial.ts';
import type { PlannedRelease } from '../core/update-state.ts';
import type { ReleaseKind } from '../kinds/release-kind.ts';
import { probeOf } from './laid-out.ts';
import type { EnginePorts } from './ports.ts';
import { ProbeWatch } from './probe-watch.ts';

/** How a release is judged of which no more is asked than that it is well itself. */
const NOTHING_BUT_ITSELF = {
  trial: 1,
  trialMs: 0,
  wasOnline: false,
  online: false,
  outsideReachesMs: undefined,
};

/**
 * Watches what was started a moment ago without being new here. It is judged as a new release is, its own probe included, but for
 * the link: one that is up at one look may be on its way to the next crash.
 *
 * @param plan an empty digest: nothing is in place.
 * @returns why it is not well; undefined: it is, or has nothing by which that could be told.
 */
export async function whyNotWell(
  { clock, limits }: Pick<EnginePorts, 'clock' | 'limits'>,
  kind: ReleaseKind,
  plan: PlannedRelease,
  signal: AbortSignal,
): Promise<string | undefined> {
  const tree = kind.treeOf(plan);
  const probe = new ProbeWatch(plan.digest === '' ? undefined : probeOf(tree), tree, limits);
  const begunMs = clock.monotonicMs();
  const elapsed = () => clock.monotonicMs() - begunMs;
  for (;;) {
    const elapsedMs = elapsed();
    try {
      const process = await kind.observe(plan);
      if (process === undefined && probe.seen === undefined) return undefined;
      await probe.look(elapsed, signal);
      const verdict = judgeTrial({ ...NOTHING_BUT_ITSELF, elapsedMs, process, probe: probe.seen }, limits);
      if (verdict.kind === 'commit') return undefined;
      if (verdict.kind === 'fail') return verdict.message;
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (elapsedMs >= limits.graceMs + limits.soakMs)
        return `whether it runs cannot be seen: ${error.message}`;
    }
    await wait(clock, limits.observeMs, signal);
  }
}
