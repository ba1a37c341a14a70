import { expect, it } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

it(
  'when decoders, gateway and server are given what nobody would send, each refuses it with a listed code and goes on',
  async () => {
    const result = await shortForm('fuzz', '--inputs', '27000');
    expect(result).toMatchObject({ inputs: 27_000, findings: 0, controlCaught: true });
    expect(result['targets']).toBeGreaterThan(20);
    expect(result['socketInputs']).toBeGreaterThan(100);
  },
  CAMPAIGN_MS,
);
