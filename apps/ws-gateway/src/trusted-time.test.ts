import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { TrustedTime } from './trusted-time.ts';

const CERTIFICATE = { fromMs: Date.UTC(2026, 0), toMs: Date.UTC(2027, 0) };
const NOW = Date.UTC(2026, 10, 25);

function trustedTime() {
  const file = join(temporaryFolder(), 'trusted-time.json');
  const clock = new FakeClock();
  const warnings: unknown[] = [];
  const time = new TrustedTime(file, { clock, log: { warn: (fields: unknown) => warnings.push(fields) } });
  const recorded = () =>
    existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { at: number }).at : undefined;
  return { file, clock, time, recorded, warnings };
}

test('when the server tells its time over TLS, it is recorded once an hour and at the stop', async () => {
  const { clock, time, recorded } = trustedTime();
  time.provenBy(CERTIFICATE);
  time.record(NOW);
  await clock.advance(3_599_000);
  time.record(NOW + 1);
  expect(recorded()).toBe(NOW);
  time.record(NOW + 2, true);
  expect(recorded()).toBe(NOW + 2);
  await clock.advance(3_600_000);
  time.record(NOW + 3);
  expect(recorded()).toBe(NOW + 3);
});

test('when the time is none that the certificate covers, came without TLS or did not come, nothing is recorded', () => {
  const { time, recorded } = trustedTime();
  time.record(NOW);
  time.provenBy(CERTIFICATE);
  time.record(undefined);
  time.record(CERTIFICATE.toMs + 1);
  time.record(CERTIFICATE.fromMs - 1);
  time.provenBy({ fromMs: Number.NaN, toMs: Number.NaN });
  time.record(NOW);
  time.provenBy(undefined);
  time.record(NOW);
  expect(recorded()).toBeUndefined();
});

test('when the file cannot be written, that is said and nothing else happens', () => {
  const { file, time, warnings } = trustedTime();
  mkdirSync(file);
  time.provenBy(CERTIFICATE);
  time.record(NOW);
  expect(warnings).toHaveLength(1);
});
