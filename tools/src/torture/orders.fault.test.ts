import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when every process and the programs are killed at random, each order ends once and its effect is there as often as it may',
  async () => {
    const result = await shortForm('orders', '--kills', '10', '--orders', '30');
    expect(result).toMatchObject({
      unfinished: 0,
      changed: 0,
      twice: 0,
      missing: 0,
      unasked: 0,
      leftRunning: 0,
      controlCaught: true,
    });
    expect(result['orders']).toBeGreaterThanOrEqual(30);
    expect(result['givenAtLastKill']).toBeGreaterThanOrEqual(30);
    expect(result['succeeded']).toBeGreaterThan(10);
  },
  CAMPAIGN_MS,
);
