import type { HubNotifications } from '@bowline/messages/hub';
import type { HubClient } from './client.ts';

/** The jobs of an app, as its scheduler (libs/scheduler) has them. */
export interface Jobs {
  view(): NonNullable<HubNotifications['appState']['jobs']>;
  /** @throws RejectedError `unknown-job`, `job-running` */
  runNow(name: string): Promise<void>;
}

/**
 * Tells the gateway how the jobs stand, whenever it is there, and has one run when the CLI asks for it.
 *
 * @returns to be called whenever that has changed.
 */
export function serveJobs(
  client: Pick<HubClient, 'connected' | 'handle' | 'notify' | 'onRegistered'>,
  jobs: Jobs,
): () => void {
  const tell = () => void client.notify('appState', { state: 'ready', jobs: jobs.view() });
  client.handle('runJob', ({ job }) => {
    // What becomes of it is told as the state of the job.
    jobs.runNow(job).catch(() => undefined);
    return {};
  });
  client.onRegistered(tell);
  // It may have registered already.
  if (client.connected) tell();
  return tell;
}
