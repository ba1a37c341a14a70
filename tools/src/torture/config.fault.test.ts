import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when an app is killed before or after a durable write of a change of the configuration, all end on the same one and tell the truth',
  async () => {
    const result = await shortForm('config', '--kills', '10');
    expect(result).toMatchObject({ findings: 0, controlCaught: true });
    expect(result['kills']).toBeGreaterThan(7);
  },
  CAMPAIGN_MS,
);
