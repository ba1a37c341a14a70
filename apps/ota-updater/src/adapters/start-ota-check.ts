import { join } from 'node:path';
import { reportDurably, type HubMember } from '@bowline/device-app';
import { serveJobs } from '@bowline/ipc';
import { writeFileDurably, type Clock, type Logger } from '@bowline/runtime';
import { Scheduler } from '@bowline/scheduler';
import type { UpdaterConfig } from '../config.ts';
import type { Ledger } from '../core/ledger.ts';
import { checkForReleases } from '../ota-check.ts';
import type { ReleaseSource } from '../supply/release-source.ts';

export interface OtaCheckParts {
  config: UpdaterConfig;
  hub: HubMember;
  ledger: Ledger;
  source: ReleaseSource;
  log: Logger;
  clock: Clock;
  signal: AbortSignal;
}

/** Runs the look at the update server by its schedule; none by default. @throws ConfigError `schedule-invalid` */
export function startOtaCheck(parts: OtaCheckParts): { stop(): Promise<void> } {
  const { config, hub, ledger, source, log, clock, signal } = parts;
  const { stateDir, check } = config;
  const scheduler = new Scheduler({
    file: join(stateDir, 'jobs.json'),
    clock,
    log,
    random: Math.random,
    onChange: () => tellJobs(),
  });
  const tellJobs = serveJobs(hub.client, scheduler);
  if (check.schedule === undefined) return scheduler;
  const at = () => Math.round(clock.wallMs());
  scheduler.set({
    name: 'ota-check',
    schedule: { cron: check.schedule },
    jitterMs: check.jitterMs,
    missed: 'run',
    run: (until) =>
      checkForReleases(
        {
          newest: (wanted, by) => source.newest(wanted, by),
          installed: () => ledger.image().installed,
          channels: async () => (await hub.readPolicy()).policy.updates?.channels ?? [],
          keep: (available) =>
            writeFileDurably(join(stateDir, 'check.json'), JSON.stringify({ at: at(), available })),
          report: async (releases) => {
            const key = releases
              .map(({ digest }) => digest)
              .toSorted()
              .join(' ');
            const event = (when: number) => ({
              kind: 'update.available',
              severity: 'info' as const,
              at: when,
              data: { releases },
            });
            const file = join(stateDir, 'available.json');
            await reportDurably({ file, key, event }, { client: hub.client, clock, signal });
          },
        },
        until,
      ),
  });
  return scheduler;
}
