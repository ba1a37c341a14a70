import { expect, it } from 'vitest';
import { PowerDisk } from './power-disk.ts';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

const missing = PowerDisk.missing();

it.skipIf(missing !== undefined)(
  `when the power of device and server is cut at random, nothing accepted is lost, doubled or swapped${missing === undefined ? '' : ` (needs ${missing})`}`,
  async () => {
    expect(await shortForm('powercut', '--kills', '8')).toMatchObject({
      name: 'powercut',
      kills: 8,
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      ordersUnfinished: 0,
      controlCaught: true,
    });
  },
  CAMPAIGN_MS,
);
