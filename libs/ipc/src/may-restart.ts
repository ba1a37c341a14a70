import type { TrialView } from '@bowline/messages/hub';
import { RejectedError } from '@bowline/runtime/errors';

/**
 * Whether a person may have a process restarted: nothing tells such a restart from a crash, and a release on trial that
 * crashes is given back and not tried again.
 *
 * @param trial as the gateway tells it; undefined: none that is known.
 * @param process its name in pm2.
 * @throws RejectedError `update-busy`
 */
export function mayRestart(trial: TrialView | undefined, process: string): void {
  if (trial?.processes.includes(process) === true) throw updateBusy(trial);
}

/** @param trial undefined: a release of Bowline is about to be tried. */
export function updateBusy(trial: TrialView | undefined): RejectedError {
  const what =
    trial === undefined
      ? 'Bowline itself is being updated'
      : `${trial.release} is on trial until ${new Date(trial.endsBy).toISOString()} at the latest`;
  return new RejectedError(
    'update-busy',
    `${what}, and a restart would pass for a crash of it: wait for its end (bowline update status)`,
  );
}
