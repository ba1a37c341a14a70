import type { Hub } from '@bowline/ipc';
import { CONFIGURED_APPS, type ConfiguredApp } from '@bowline/messages/hub/apps';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import type { ConfigPush } from '../config-push/config-push.ts';
import { isConfigured } from '../config-push/config-refusal.ts';
import type { ConfigRecords } from '../config-push/config-records.ts';
import type { ConfigTargets } from '../config-push/config-targets.ts';
import { mustBeCli } from './cli-only.ts';

export interface ConfigPorts {
  hub: Pick<Hub, 'handle' | 'onNotification' | 'onRegistered'>;
  push: Pick<ConfigPush, 'rollback' | 'registered' | 'heard' | 'summary' | 'remainingMs'>;
  records: ConfigRecords;
  targets: ConfigTargets;
}

/** How the device is configured, for a person at it (`bowline config`, by the CLI's socket only), and what apps say of themselves. */
export function serveConfigOfDevice({ hub, push, records, targets }: ConfigPorts): void {
  hub.onRegistered(({ app }) => {
    if (isConfigured(app)) push.registered(app);
  });
  hub.onNotification('configState', (state, { app }) => push.heard(app, state));

  const viewOf = async (app: ConfiguredApp) => {
    if (!targets.isHere(app)) return { away: 'is not running' };
    try {
      return { view: await targets.show(app) };
    } catch (error) {
      if (!(error instanceof BowlineError)) throw error;
      return { away: error.message };
    }
  };

  hub.handle('config', async (_, peer) => {
    mustBeCli(peer);
    const { step, kept } = records;
    const { configVersion: version, configHash: hash } = push.summary;
    const { remainingMs } = push;
    const views = await Promise.all(CONFIGURED_APPS.map(async (app) => [app, await viewOf(app)] as const));
    return {
      ...(version === undefined ? {} : { version }),
      hash,
      phase: step.phase,
      ...(step.phase === 'settled' ? {} : { candidate: step.version }),
      ...(remainingMs === undefined ? {} : { remainingMs }),
      documents: [...kept],
      apps: Object.fromEntries(views),
    };
  });

  hub.handle('configDocument', ({ version }, peer) => {
    mustBeCli(peer);
    const sections = records.sections(version);
    if (sections === undefined) {
      throw new RejectedError('unknown-config-version', `no document ${version} is kept`);
    }
    return { version, sections };
  });

  hub.handle('rollbackConfig', ({ version }, peer) => {
    mustBeCli(peer);
    return push.rollback(version);
  });
}
