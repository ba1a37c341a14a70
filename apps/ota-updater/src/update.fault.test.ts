import { writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { killEverywhere, type KillResult } from './testing/kill-points.ts';
import { UpdateDevice } from './testing/update-device.ts';

/** `npm run torture -- ota` names a file for what is found, and wants processes under pm2 at each point. */
const report = process.env['BOWLINE_OTA_TORTURE'];
const withProcess = report !== undefined;
const MINUTES = 60_000;
/** The point before the record `switching`: what comes earlier is the same for a broken release. */
const SWITCHING = 13;
const AFTER_TRIAL = SWITCHING + 5;

let device: UpdateDevice;
afterEach(() => device.close());
async function open(): Promise<UpdateDevice> {
  device = await UpdateDevice.open({}, { processes: withProcess });
  device.trial = { ...device.trial, graceMs: withProcess ? 1000 : 0, soakMs: withProcess ? 200 : 0 };
  return device;
}
const found: Record<string, KillResult> = {};
const say = (line: string) => {
  if (withProcess) process.stderr.write(`${line}\n`);
};

test(
  'when the updater is killed between any two records, or between an intent and its effect, the update is committed',
  { timeout: 20 * MINUTES },
  async () => {
    const result = await killEverywhere(await open(), { broken: false, withProcess, say });
    found['good'] = result;
    expect(result.findings).toEqual([]);
    for (const record of ['accepted', 'fetching', 'verified', 'staging', 'staged', 'switching', 'trial'])
      expect(result.points).toEqual(expect.arrayContaining([`before ${record}`, `after ${record}`]));
    const rest = [
      'tree wiped',
      'tree laid out',
      'link set',
      'restarted',
      'after committing',
      'after committed',
    ];
    expect(result.points).toEqual(expect.arrayContaining([...rest, 'before told']));
  },
);

test(
  'when the release is broken and the updater is killed at any point, the release before is in place again',
  { timeout: 20 * MINUTES },
  async () => {
    const result = await killEverywhere(await open(), { broken: true, withProcess, from: SWITCHING, say });
    found['broken'] = result;
    expect(result.findings).toEqual([]);
    expect(result.points).toEqual(
      expect.arrayContaining([
        'before switching',
        'before rolling-back',
        'after rolling-back',
        'link set back',
        'after rolled-back',
      ]),
    );
  },
);

test(
  'when the journal says that the way back was gone before it was, a wrong end is found: the check can fail',
  { timeout: 20 * MINUTES },
  async () => {
    const options = {
      broken: true,
      withProcess: false,
      saysTooEarly: true,
      from: AFTER_TRIAL,
      most: 1,
      say,
    };
    const result = await killEverywhere(await open(), options);
    found['control'] = result;
    expect(result.points).toEqual(['after trial']);
    expect(result.findings).not.toEqual([]);
    if (report !== undefined) writeFileSync(report, JSON.stringify(found));
  },
);
