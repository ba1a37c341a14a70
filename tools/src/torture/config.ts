import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CampaignOptions } from './campaign.ts';
import { ConfiguredFleet, type Change } from './config/configured-fleet.ts';

export interface ConfigResult {
  name: string;
  seed: number;
  kills: number;
  findings: number;
  /** Whether a device on which one app's section was forged was seen to disagree. */
  controlCaught: boolean;
}

interface Scenario {
  what: string;
  change(number: number): Change;
  /** Points that another scenario has already. */
  isNew(point: string, before: readonly string[]): boolean;
}

const REVERT_MS = 3000;
/** What apps say of themselves is written beside everything else: only that it is, is the same each time. */
const isSteady = (point: string): boolean => !point.endsWith('hashes') || point.startsWith('1 ');
const level = (number: number) => ({ logLevel: number % 2 === 0 ? 'debug' : 'warn' });
/** A value for each app that no other change has, but for levels, which differ from those of the change before. */
const everyApp = (number: number) => ({
  'ws-gateway': { config: { applyWithinMs: 60_000 + number } },
  'command-executor': { maxWaiting: 1000 + number },
  'telemetry-collector': { series: { uptime: { intervalMs: 60_000 + number } } },
  'ota-updater': level(number),
  'ssh-broker': level(number),
});

const isAfter = (what: string, point: string, before: readonly string[]): boolean =>
  [...before, point].some((each) => each.endsWith(what));

const SCENARIOS: readonly Scenario[] = [
  {
    what: 'all apps take it while they run',
    change: (number) => ({ sections: everyApp(number), end: 'applied' }),
    isNew: () => true,
  },
  {
    what: 'the last one has no room for it, so all go back',
    change: (number) => ({ sections: everyApp(number), end: 'rolledBack', fullDiskOf: 'ws-gateway' }),
    // The way there is that of the first.
    isNew: (point, before) => isAfter('commit returning', point, before),
  },
  {
    what: 'no link comes to stand under it, so all go back',
    change: (number) => ({
      sections: { ...everyApp(number), 'ws-gateway': { link: { deadAfterMs: 1 } } },
      end: 'rolledBack',
      confirmWithinMs: REVERT_MS,
    }),
    isNew: (point) => /commit (returning|settled)|renew/.test(point),
  },
  {
    what: 'it changes the link, and a new one comes to stand',
    change: (number) => ({
      sections: { ...everyApp(number), 'ws-gateway': { link: { probeDeadlineMs: 4000 + number } } },
      end: 'applied',
      confirmWithinMs: 60_000,
    }),
    isNew: (point, before) => isAfter('renew', point, before),
  },
  {
    what: 'an app restarts itself for it',
    change: (number) => ({
      sections: { ...everyApp(number), 'ota-updater': { check: { jitterMs: 1_800_000 + number } } },
      end: 'applied',
    }),
    isNew: (point) => point.includes('ota-updater'),
  },
];

/**
 * Kills gateway, executor, collector, updater and broker at every instant of a change of the configuration, one after the
 * other: before and after each durable write, and each step of both phases. Each time all must end on the new document or on
 * the old one, live and on disk; with the one report that says so; under hashes that agree on device and server. The control
 * forges what one app holds: that must be found.
 *
 * @param options.kills at most so many; if there are more instants, those around durable writes. The default of a campaign has them all.
 */
export async function configKills(
  { kills, seed }: CampaignOptions,
  say: (line: string) => void,
): Promise<ConfigResult> {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-config-'));
  const fleet = await ConfiguredFleet.start(folder);
  const result: ConfigResult = { name: 'config', seed, kills: 0, findings: 0, controlCaught: false };
  let number = 0;
  /** Each differs from what is in force in the section of every app, or that app would not be asked. */
  const next = (scenario: Scenario): Change => {
    const change = scenario.change(number + 1);
    if (change.end === 'applied') number += 1;
    return change;
  };
  try {
    for (const scenario of SCENARIOS) {
      const all = await fleet.pointsOf(next(scenario));
      const points = all.filter(
        (point, index) => isSteady(point) && scenario.isNew(point, all.slice(0, index)),
      );
      say(`config: ${scenario.what}: ${points.length} instants`);
      for (const point of chosen(points, Math.ceil(kills / SCENARIOS.length))) {
        const { killed, wrong } = await fleet.killedAt(point, next(scenario));
        if (killed) result.kills += 1;
        else say(`  ${point} did not come`);
        if (wrong.length === 0) continue;
        result.findings += 1;
        say(`  killed ${point}: ${wrong.join('; ')}`);
      }
    }
    result.controlCaught = await fleet.seesForgery(next(SCENARIOS[0] as Scenario));
    say(`  control ${result.controlCaught ? 'caught' : 'NOT caught'}`);
    return result;
  } finally {
    if (result.findings > 0) say(`state and logs are kept in ${fleet.folder}`);
    await fleet.end(result.findings > 0);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** At most so many, evenly; then only those around durable writes. */
function chosen(all: readonly string[], most: number): readonly string[] {
  if (all.length <= most) return all;
  const durable = all.filter((point) => /commit|write/.test(point));
  const share = Math.min(1, most / durable.length);
  return durable.filter((_, index) => Math.floor((index + 1) * share) > Math.floor(index * share));
}
