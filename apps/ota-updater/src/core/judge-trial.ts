/** Bounds of a trial, milliseconds and counts. */
export interface TrialLimits {
  /** So long the release may be down, or its probe bad: it is starting. */
  graceMs: number;
  /** So long after that it must be well without a break. */
  soakMs: number;
  /** A trial whose link does not come back, and for which nobody is to blame, ends here. */
  trialMaxMs: number;
  /** So long the server must have answered others, without a break, before a link that stays down is the release's fault. */
  linkBackMs: number;
  /** Restarts within the grace that make a boot loop. */
  bootLoopRestarts: number;
  /** Bad probes in a row, after the grace, that fail it. */
  probeFailures: number;
  /** Boots of the device within one trial that make a boot loop. */
  bootLoopTrials: number;
}

/** What is seen of a release on trial. */
export interface TrialView {
  /** Since the switch, or since this process took the trial up again. */
  elapsedMs: number;
  /** Since this boot began it, whatever processes have taken it up since. */
  trialMs: number;
  /** How often the trial was begun: 1, and one more for each boot within it. */
  trial: number;
  /** Of the release's process; undefined if it has none. */
  process: { up: boolean; restarts: number } | undefined;
  /**
   * Of the release's own probe; undefined if it has none. `badInARow` 0: the last one was good; `asked` once there was one;
   * `lastBadMs` on the scale of `elapsedMs`, 0 if none was bad.
   */
  probe: { asked: boolean; badInARow: number; lastBadMs: number; why: string } | undefined;
  /** The link to the cloud was up at the switch. */
  wasOnline: boolean;
  online: boolean;
  /** So long a probe from outside the new code has reached the server, without a break; undefined: not asked. */
  outsideReachesMs: number | undefined;
}

export type TrialVerdict =
  | { kind: 'go-on' }
  /** Only the link is missing: the outside is to be asked. */
  | { kind: 'ask-outside' }
  | { kind: 'commit' }
  | { kind: 'fail'; code: string; message: string; deny: boolean };

/** Whether a release on trial is kept, is given back, or is watched further. */
export function judgeTrial(view: TrialView, limits: TrialLimits): TrialVerdict {
  const { elapsedMs, trial, process, probe } = view;
  const starting = elapsedMs < limits.graceMs;
  if (trial > limits.bootLoopTrials)
    return fail({ code: 'boot-loop', message: `the device booted ${trial - 1} times during the trial` });
  if (process !== undefined) {
    if (process.restarts >= limits.bootLoopRestarts)
      return fail({ code: 'boot-loop', message: `its process was restarted ${process.restarts} times` });
    if (!starting && !process.up) return fail({ code: 'process-down', message: 'its process does not run' });
    if (!starting && process.restarts > 0)
      return fail({
        code: 'process-restarted',
        message: `its process ended ${process.restarts} times and was started again`,
      });
  }
  if (!starting && probe !== undefined && probe.badInARow >= limits.probeFailures)
    return fail({
      code: 'probe-failed',
      message: `its probe failed ${probe.badInARow} times in a row: ${probe.why}`,
    });
  const wholeMs = limits.graceMs + limits.soakMs;
  if (elapsedMs < wholeMs) {
    if (view.trialMs < wholeMs + limits.trialMaxMs) return { kind: 'go-on' };
    return inconclusive('who watches it was started anew again and again');
  }
  if (probe !== undefined && !isSoaked(probe, elapsedMs, limits)) {
    if (elapsedMs < limits.trialMaxMs) return { kind: 'go-on' };
    const why = probe.why === '' ? '' : `: ${probe.why}`;
    return fail({ code: 'probe-failed', message: `its probe was never good for ${limits.soakMs} ms${why}` });
  }
  if (!view.wasOnline || view.online) return { kind: 'commit' };
  return judgeLink(view, limits);
}

/** One that is bad now and then, and good at the end, is not well. */
const isSoaked = (
  { asked, badInARow, lastBadMs }: NonNullable<TrialView['probe']>,
  elapsedMs: number,
  { graceMs, soakMs }: TrialLimits,
) => asked && badInARow === 0 && elapsedMs - Math.max(graceMs, lastBadMs) >= soakMs;

/**
 * The link was there and is gone: the release's fault only if the server can be reached without it, and that for longer than
 * the gateway backs off. After an outage the server answers again long before every link is back.
 */
function judgeLink(
  { elapsedMs, trialMs, outsideReachesMs }: TrialView,
  { trialMaxMs, linkBackMs }: TrialLimits,
): TrialVerdict {
  if (outsideReachesMs !== undefined && outsideReachesMs >= linkBackMs)
    return fail({
      code: 'link-lost',
      message: `the server has answered for ${linkBackMs} ms, and the link did not come back`,
    });
  if (Math.max(elapsedMs, trialMs) < trialMaxMs || outsideReachesMs === undefined)
    return { kind: 'ask-outside' };
  return inconclusive('the link did not come back, and nothing else reached the server for long enough');
}

const inconclusive = (why: string): TrialVerdict => ({
  kind: 'fail',
  code: 'inconclusive',
  message: `inconclusive: ${why}`,
  deny: false,
});

const fail = (why: { code: string; message: string }): TrialVerdict => ({ kind: 'fail', ...why, deny: true });
