import { expect, it } from 'vitest';
import { PowerDisk } from './power-disk.ts';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

const missing = PowerDisk.missing();

it.skipIf(missing !== undefined)(
  `when the power is cut while a history is recorded, all that was said to be recorded is there, and what was given up is told${missing === undefined ? '' : ` (needs ${missing})`}`,
  async () => {
    expect(await shortForm('history', '--kills', '8')).toMatchObject({ findings: 0, controlCaught: true });
  },
  CAMPAIGN_MS,
);
