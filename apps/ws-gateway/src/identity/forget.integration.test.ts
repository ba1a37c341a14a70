import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { forgetAsMarked, forgettable, markToForget } from './forget.ts';

function stateWith(names: readonly string[]): string {
  const folder = temporaryFolder();
  for (const name of names) writeFileSync(join(folder, name), 'x');
  mkdirSync(join(folder, 'store'));
  writeFileSync(join(folder, 'store', 'data.mdb'), 'x');
  return folder;
}
const KEPT = ['config.json', 'trusted-time.json', 'device.txt', 'storefront'];

test('when a write of key or enrolment was cut short, what it left beside them is forgotten with them', () => {
  const folder = stateWith([
    ...KEPT,
    'device.pem',
    'device.pem.4711.new',
    'device.next.pem.4711.new',
    'enrolment.json',
    'enrolment.json.12.new',
    'trust-chain.json.damaged',
  ]);
  expect(forgettable(folder).map((path) => path.slice(folder.length + 1))).toEqual([
    'device.next.pem.4711.new',
    'device.pem',
    'device.pem.4711.new',
    'enrolment.json',
    'enrolment.json.12.new',
    'store',
    'trust-chain.json.damaged',
  ]);
  markToForget(folder);
  expect(forgetAsMarked(folder)).toBe(true);
  expect(readdirSync(folder).toSorted()).toEqual(KEPT.toSorted());
});

test('when it was not told to forget, or there is no folder yet, nothing is touched', () => {
  const folder = stateWith(['device.pem']);
  expect(forgetAsMarked(folder)).toBe(false);
  expect(readdirSync(folder)).toContain('device.pem');
  expect(forgettable(join(folder, 'none'))).toEqual([]);
});
