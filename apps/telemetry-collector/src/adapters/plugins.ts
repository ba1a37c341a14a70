import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Logger } from '@bowline/runtime';
import type { CollectorConfig, PluginConfig } from '../config.ts';
import type { Ingest } from '../core/ingest/ingest.ts';
import { PluginGroups } from './plugin-groups.ts';
import { PluginProcess } from './plugin-process.ts';

export interface PluginsOptions {
  ingest: Ingest;
  stateDir: string;
  clock: Clock;
  log: Logger;
}

/** The source plug-ins of the configuration, each as long as it stands there. */
export class Plugins {
  readonly #options: PluginsOptions;
  readonly #groups: PluginGroups;
  readonly #running = new Map<string, { config: PluginConfig; process: PluginProcess }>();

  constructor(options: PluginsOptions) {
    this.#options = options;
    this.#groups = new PluginGroups(join(options.stateDir, 'plugins.json'), options.log);
    const ended = this.#groups.endLeftovers();
    if (ended > 0) options.log.warn({ groups: ended }, 'plug-ins of an earlier life were ended');
  }

  /** Those that are new or different are started, the others left alone. */
  async configure(plugins: CollectorConfig['plugins']): Promise<void> {
    const gone = [...this.#running].filter(([name, { config }]) => !isDeepStrictEqual(config, plugins[name]));
    await Promise.all(
      gone.map(([name, { process }]) => {
        this.#running.delete(name);
        return process.stop();
      }),
    );
    for (const [name, config] of Object.entries(plugins)) {
      if (this.#running.has(name)) continue;
      const process = new PluginProcess({ ...this.#options, name, config, groups: this.#groups });
      this.#running.set(name, { config, process });
    }
  }

  async stop(): Promise<void> {
    await this.configure({});
  }
}
