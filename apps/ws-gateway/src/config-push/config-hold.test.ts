import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { ConfigHold } from './config-hold.ts';

function device() {
  const file = join(temporaryFolder(), 'config-hold.json');
  const clock = new FakeClock();
  const warnings: unknown[] = [];
  const log = { warn: (fields: unknown) => warnings.push(fields) };
  const ends: number[] = [];
  const open = (bootId = 'boot-1') =>
    new ConfigHold(file, { bootId, clock, log, ended: () => ends.push(clock.monotonicMs()) });
  return { file, clock, open, ends, warnings };
}

test('when nobody asks again, it ends by itself; when it is said to be over, at once', async () => {
  const { file, clock, open, ends } = device();
  const hold = open();
  hold.hold(0);
  expect(ends).toEqual([]);
  hold.hold(1000);
  await clock.advance(999);
  expect([hold.isOn, ends]).toEqual([true, []]);
  await clock.advance(1);
  expect([hold.isOn, ends]).toEqual([false, [1000]]);
  hold.hold(1000);
  hold.hold(0);
  expect([hold.isOn, ends, existsSync(file), clock.pendingTimers]).toEqual([false, [1000, 1000], false, 0]);
});

test('when it is asked for again and again, it goes on, and the file is written once in half of the time', async () => {
  const { file, clock, open, ends } = device();
  const hold = open();
  const written = new Set<string>();
  for (let look = 0; look < 100; look += 1) {
    hold.hold(1000);
    written.add(readFileSync(file, 'utf8'));
    await clock.advance(50);
  }
  expect([hold.isOn, ends]).toEqual([true, []]);
  expect(written.size).toBeLessThanOrEqual(10);
});

test('when the gateway starts anew in the same boot, it holds on for what is left, and in another boot not', async () => {
  const { clock, open, ends } = device();
  open().hold(1000);
  expect(open('boot-2').isOn).toBe(false);
  await clock.advance(400);
  const next = open();
  expect(next.isOn).toBe(true);
  await clock.advance(600);
  expect(next.isOn).toBe(false);
  expect(ends).toContain(1000);
});

test('when the file is damaged, it holds for no longer than may be asked for, or not at all', () => {
  const { file, clock, open } = device();
  for (const text of ['', '7', '{}', '{"bootId":"boot-1","untilMs":"x"}']) {
    writeFileSync(file, text);
    expect(open().isOn).toBe(false);
  }
  writeFileSync(file, '{"bootId":"boot-1","untilMs":1e300}');
  const hold = open();
  clock.suspend(600_000);
  expect(hold.isOn).toBe(false);
});

test('when the file cannot be written, it holds all the same, and that is said', () => {
  const { file, open, warnings } = device();
  const hold = open();
  rmSync(file, { force: true });
  mkdirSync(file);
  hold.hold(1000);
  expect(hold.isOn).toBe(true);
  expect(warnings).toHaveLength(1);
});
