import type { DurableQueue } from '@bowline/durable-queue';
import type { ConfiguredApp } from '@bowline/messages/hub/apps';
import type { Logger } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import type { EventReporter } from '../event-reporter.ts';
import type { ConfigRecords } from './config-records.ts';
import type { ConfigTargets } from './config-targets.ts';

export interface ConfigUpkeepPorts {
  queue: Pick<DurableQueue, 'commit'>;
  records: ConfigRecords;
  targets: Pick<ConfigTargets, 'apply'>;
  events: EventReporter;
  log: Logger;
}

/** Keeps the apps at what is in force, whenever they come, and notes what they say they are configured to. */
export class ConfigUpkeep {
  readonly #ports: ConfigUpkeepPorts;

  constructor(ports: ConfigUpkeepPorts) {
    this.#ports = ports;
  }

  /** An app registered: it is brought to what is in force. */
  registered(app: ConfiguredApp): void {
    const { records, targets, log, events } = this.#ports;
    if (records.isUntouched) return;
    const { version, sections } = records.inForce;
    const section = sections[app] ?? {};
    targets
      .apply(app, { version, section })
      .then(async ({ faults, hash }) => {
        if (faults.length === 0) return this.heard(app, { hash });
        const errors = faults.map((fault) => ({ app, ...fault }));
        log.error({ app, version, errors }, 'an app that came back does not take its configuration');
        await events.report('config-refused', 'error', { app, version, errors });
      })
      .catch((error: unknown) => {
        const { code } = error instanceof BowlineError ? error : { code: 'internal' };
        // An app that knows no configuration has none to be brought to.
        if (code === 'unsupported' && Object.keys(section).length === 0) return;
        log.warn({ app, version, code, error }, 'an app could not be brought to its configuration');
      });
  }

  /** What an app is configured to. */
  heard(app: string, { hash, problem }: { hash: string; problem?: string | undefined }): void {
    const { records, queue, events, log } = this.#ports;
    if (problem !== undefined) log.error({ app, problem }, "an app has set its cloud's configuration aside");
    const config = records.heard(app, hash);
    if (config === undefined) return;
    records.wrote(config);
    void events.unlessRefused(queue.commit({ config }), 'hash of a configuration');
  }
}
