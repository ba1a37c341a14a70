import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when gateway, executor, collector and server are killed at random, nothing accepted is lost, doubled or swapped',
  async () => {
    const result = await shortForm('crash', '--kills', '12');
    expect(result).toMatchObject({
      lost: 0,
      duplicated: 0,
      outOfOrder: 0,
      ordersUnfinished: 0,
      controlCaught: true,
    });
    expect(result['accepted']).toBeGreaterThan(50);
    expect(result['acceptedFromCollector']).toBeGreaterThan(10);
  },
  CAMPAIGN_MS,
);
