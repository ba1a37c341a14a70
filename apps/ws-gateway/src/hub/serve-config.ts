import { mayRestart, updateBusy, writtenOverride, type Hub } from '@bowline/ipc';
import { CONFIGURED_APPS, type ConfiguredApp } from '@bowline/messages/hub/apps';
import type { LiveConfig } from '@bowline/runtime';
import { BowlineError, RejectedError } from '@bowline/runtime/errors';
import type { ConfigHold } from '../config-push/config-hold.ts';
import type { ConfigPush } from '../config-push/config-push.ts';
import { busy } from '../config-push/config-wishes.ts';
import { isConfigured } from '../config-push/config-refusal.ts';
import type { ConfigRecords } from '../config-push/config-records.ts';
import type { ConfigStep } from '../config-push/config-step.ts';
import { untriable } from '../config-push/own-override.ts';
import type { ConfigTargets } from '../config-push/config-targets.ts';
import { mustBeCli } from './cli-only.ts';
import type { KnownTrial } from './known-trial.ts';

export interface ConfigPorts {
  hub: Pick<Hub, 'handle' | 'onNotification' | 'onRegistered'>;
  push: Pick<
    ConfigPush,
    'rollback' | 'override' | 'registered' | 'heard' | 'summary' | 'remainingMs' | 'isUnderWay'
  >;
  hold: Pick<ConfigHold, 'hold' | 'isOn'>;
  trial: Pick<KnownTrial, 'view'>;
  records: ConfigRecords;
  targets: ConfigTargets;
  live: Pick<LiveConfig<unknown>, 'readOverride' | 'prepareOverride' | 'refused' | 'override'>;
}

/** How the device is configured, for a person at it (`bowline config`, by the CLI's socket only), and what apps say of themselves. */
export function serveConfigOfDevice({ hub, push, hold, trial, records, targets, live }: ConfigPorts): void {
  hub.onRegistered(({ app }) => {
    if (isConfigured(app)) push.registered(app);
  });
  hub.onNotification('configState', (state, { app }) => push.heard(app, state));

  hub.handle('holdConfig', ({ forMs }, { app }) => {
    if (app !== 'ota-updater')
      throw new RejectedError('ota-updater-only', `${app} may not do this: only the ota-updater may`);
    hold.hold(forMs);
    return { underWay: push.isUnderWay };
  });

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
      ...(step.phase === 'settled' ? {} : underWay(step)),
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

  hub.handle('rollbackConfig', ({ version, ...how }, peer) => {
    mustBeCli(peer);
    if (hold.isOn) throw updateBusy(trial.view);
    return push.rollback(version, how);
  });

  hub.handle('checkOverride', async ({ app, override, prepare = false }, peer) => {
    mustBeCli(peer);
    const answer = await targets.checkOverride(app, override);
    if (answer.faults.length === 0 && answer.restart.length + answer.link.length > 0) {
      if (hold.isOn) throw updateBusy(trial.view);
      mayRestart(trial.view, app);
    }
    if (app !== 'ws-gateway') return answer;
    const inForce = live.refused === undefined ? {} : { inForce: live.override };
    if (prepare) {
      // Its file may hold what is only tried out, by somebody who is gone: another key must not take that along.
      if (records.step.phase !== 'settled') throw busy();
      const faults = untriable(answer);
      if (faults.length > 0) return { ...answer, faults };
      if (answer.link.length > 0) live.prepareOverride(override);
    }
    return { ...answer, ...inForce };
  });

  hub.handle('takeOverride', async ({ app, hash, ...how }, peer) => {
    mustBeCli(peer);
    if (app === 'ws-gateway') {
      const { restarts = false, ...end } = await push.override(writtenOverride(live, hash), how);
      return { ...end, restarts };
    }
    const { faults, keys, restarts } = await targets.takeOverride(app, hash);
    const done = keys.length > 0 ? 'applied' : 'unchanged';
    const errors = faults.map((fault) => ({ app, ...fault }));
    return {
      version: records.inForce.version,
      status: errors.length > 0 ? 'rejected' : done,
      errors,
      restarts,
    };
  });
}

const underWay = ({ version, previous, override }: Exclude<ConfigStep, { phase: 'settled' }>) => ({
  candidate: version,
  previous,
  ...(override === undefined ? {} : { override: true }),
});
