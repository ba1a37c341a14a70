import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when a device has no cloud for an hour, all that it sampled comes afterwards, at the pace, behind live samples',
  async () => {
    const found = await shortForm('offline', '--seconds', '3600');
    expect(found).toMatchObject({ sent: 180_000, arrived: 180_000, givenUp: 0, missing: 0, cameTwice: 0 });
    expect(found['ledger']).toBe(found['inLog']);
    expect(found['liveMeanwhile']).toBeGreaterThan(0);
    // A few bytes a sample, and nothing of it in the gateway's queue.
    expect(found['historyFileBytes']).toBeLessThan(8 * 2 ** 20);
    expect(found['outboxMessages']).toBeLessThan(100);
  },
  CAMPAIGN_MS,
);
