import type { HubApp, JobState } from '@bowline/messages/hub';

/** How the jobs of each app's scheduler stand, as far as it is here and has said so. */
export type AppJobs = Map<HubApp, readonly JobState[] | undefined>;
