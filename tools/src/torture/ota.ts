import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import type { CampaignOptions } from './campaign.ts';

/** What the updater's own fault test writes down (apps/ota-updater, testing/kill-points.ts). */
type Found = Record<'good' | 'broken' | 'control', { points: string[]; findings: string[] } | undefined>;

export interface OtaResult {
  name: string;
  seed: number;
  kills: number;
  points: number;
  findings: number;
  controlCaught: boolean;
}

/**
 * Kills the updater at every point of an update, one after the other: before and after each record of its journal, and
 * between an intent and its effect; with programs under a real pm2, with releases that are good and with broken ones. Each
 * time the next life must end the update by itself, with the right release in place and running. The control loses the last
 * record with the kill, as a journal does that is not synced: then a wrong release must be found in place.
 */
export async function ota({ seed }: CampaignOptions, say: (line: string) => void): Promise<OtaResult> {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-ota-'));
  const report = join(folder, 'found.json');
  try {
    say('ota: the updater is killed at every point of an update');
    await runFaultTest(report);
    const { good, broken, control } = JSON.parse(readFileSync(report, 'utf8')) as Found;
    const points = [...(good?.points ?? []), ...(broken?.points ?? [])];
    const findings = [...(good?.findings ?? ['not run']), ...(broken?.findings ?? ['not run'])];
    for (const finding of findings) say(`  ${finding}`);
    const controlCaught = (control?.findings.length ?? 0) > 0;
    say(`  control ${controlCaught ? 'caught' : 'NOT caught'}: ${control?.findings.join('; ') ?? ''}`);
    return {
      name: 'ota',
      seed,
      kills: points.length,
      points: new Set(points).size,
      findings: findings.length,
      controlCaught,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runFaultTest(report: string): Promise<void> {
  const vitest = join(WORKSPACE, 'node_modules/vitest/vitest.mjs');
  const config = join(WORKSPACE, 'tools/vitest.config.ts');
  const child = spawn(process.execPath, [vitest, 'run', '--config', config, 'src/update.fault.test.ts'], {
    cwd: join(WORKSPACE, 'apps/ota-updater'),
    env: { ...process.env, BOWLINE_OTA_TORTURE: report },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // A finding fails the test, too; what was found is in the report all the same.
  return new Promise((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
}
