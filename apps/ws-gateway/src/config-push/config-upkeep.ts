import type { DurableQueue } from '@bowline/durable-queue';
import type { ConfiguredApp } from '@bowline/messages/hub/apps';
import type { Clock, Logger } from '@bowline/runtime';
import { BowlineError, TransientError } from '@bowline/runtime/errors';
import type { EventReporter } from '../event-reporter.ts';
import type { ConfigHashes, ConfigRecords } from './config-records.ts';
import type { ConfigTargets } from './config-targets.ts';

export interface ConfigUpkeepPorts {
  queue: Pick<DurableQueue, 'commit'>;
  records: ConfigRecords;
  targets: Pick<ConfigTargets, 'apply' | 'isHere'>;
  events: EventReporter;
  clock: Clock;
  log: Logger;
}

export interface ConfigState extends ConfigHashes {
  /** Why it has set aside what the cloud sent. */
  problem?: string | undefined;
}

/** An app that is here and does not take what is in force, for lack of room on its disk for instance, is asked again after this. */
const ASK_AGAIN_MS = 30_000;

/** Keeps the apps at what is in force, whenever they come, and notes what they say they are configured to. */
export class ConfigUpkeep {
  readonly #ports: ConfigUpkeepPorts;
  readonly #waiting = new Set<ConfiguredApp>();

  constructor(ports: ConfigUpkeepPorts) {
    this.#ports = ports;
  }

  /** An app is here: it is brought to what is in force. */
  bring(app: ConfiguredApp): void {
    void this.#bring(app, true);
  }

  /** The same, once more, after a while. */
  bringLater(app: ConfiguredApp): void {
    if (this.#waiting.has(app)) return;
    this.#waiting.add(app);
    this.#ports.clock.after(ASK_AGAIN_MS, () => {
      this.#waiting.delete(app);
      void this.#bring(app, false);
    });
  }

  async #bring(app: ConfiguredApp, isNews: boolean): Promise<void> {
    const { records, targets, log, events } = this.#ports;
    if (records.isUntouched) return;
    const { version, sections } = records.inForce;
    const section = sections[app] ?? {};
    try {
      const { faults, ...hashes } = await targets.apply(app, { version, section });
      if (faults.length === 0) return this.heard(app, hashes);
      this.bringLater(app);
      if (!isNews) return;
      const errors = faults.map((fault) => ({ app, ...fault }));
      log.error({ app, version, errors }, 'an app does not take its configuration');
      await events.report('config-refused', 'error', { app, version, errors });
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      const { code } = error;
      // An app that knows no configuration has none to be brought to.
      if (code === 'unsupported' && Object.keys(section).length === 0) return;
      log.warn({ app, version, code, error }, 'an app could not be brought to its configuration');
      if (error instanceof TransientError && targets.isHere(app)) this.bringLater(app);
    }
  }

  /** What an app is configured to. */
  heard(app: string, { hash, setHash, problem }: ConfigState): void {
    const { records, queue, events, log } = this.#ports;
    if (problem !== undefined) log.error({ app, problem }, "an app has set its cloud's configuration aside");
    const config = records.heard(app, { hash, setHash });
    if (config === undefined) return;
    records.wrote(config);
    void events.unlessRefused(queue.commit({ config }), 'hash of a configuration');
  }
}
