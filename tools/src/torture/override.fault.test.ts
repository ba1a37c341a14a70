import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when command line or gateway is killed amid a change of the link by a person, an address that a link has proven is in force, and the device online by it',
  async () => {
    // The same instants each time: by name it has them all, in another order.
    const result = await shortForm('override', '--kills', '3', '--seed', '1');
    expect(result).toMatchObject({ findings: 0, controlCaught: true });
    expect(result['kills']).toBeGreaterThan(0);
  },
  CAMPAIGN_MS,
);
