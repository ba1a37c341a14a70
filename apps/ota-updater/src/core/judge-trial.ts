/** Bounds of a trial, milliseconds and counts. */
export interface TrialLimits {
  /** So long the release may be down, or its probe bad: it is starting. */
  graceMs: number;
  /** So long after that it must be well without a break. */
  soakMs: number;
  /** A trial whose link does not come back, and for which nobody is to blame, ends here. */
  trialMaxMs: number;
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
  /** How often the trial was begun: 1, and one more for each boot within it. */
  trial: number;
  /** Of the release's process; undefined if it has none. */
  process: { up: boolean; restarts: number } | undefined;
  /** Of the release's own probe; undefined if it has none. `badInARow` 0: the last one was good; `asked` once there was one. */
  probe: { asked: boolean; badInARow: number; why: string } | undefined;
  /** The link to the cloud was up at the switch. */
  wasOnline: boolean;
  online: boolean;
  /** A probe from outside the new code reaches the server; undefined: not asked. */
  outsideReaches: boolean | undefined;
}

export type TrialVerdict =
  | { kind: 'go-on' }
  /** Only the link is missing: the outside is to be asked before the next look. */
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
  if (elapsedMs < limits.graceMs + limits.soakMs) return { kind: 'go-on' };
  if (probe !== undefined && (!probe.asked || probe.badInARow > 0)) return { kind: 'go-on' };
  if (!view.wasOnline || view.online) return { kind: 'commit' };
  return judgeLink(view, limits);
}

/** The link was there and is gone: the release's fault only if the server can be reached without it. */
function judgeLink({ elapsedMs, outsideReaches }: TrialView, { trialMaxMs }: TrialLimits): TrialVerdict {
  if (outsideReaches === undefined) return { kind: 'ask-outside' };
  if (outsideReaches)
    return fail({ code: 'link-lost', message: 'the server answers, but the link did not come back' });
  if (elapsedMs < trialMaxMs) return { kind: 'go-on' };
  const message = 'inconclusive: neither the link nor anything else reached the server';
  return { kind: 'fail', code: 'inconclusive', message, deny: false };
}

const fail = (why: { code: string; message: string }): TrialVerdict => ({ kind: 'fail', ...why, deny: true });
