import { execFileSync } from 'node:child_process';
import { mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@bowline/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PROGRAMS, Slots } from './testing/slots.ts';

let slots: Slots;
beforeEach(() => {
  slots = new Slots();
});
afterEach(() => slots.powerOff());
const runs = (name: string, times = 1) =>
  waitFor(() => slots.starts().filter((each) => each === name).length >= times, { what: `${name} to run` });
const current = () => readlinkSync(join(slots.slots, 'current'));

test('when there is no slot, or the link leads nowhere, the factory’s code is started', async () => {
  slots.powerOn();
  await runs('factory');
  await slots.powerOff();
  symlinkSync('gone', join(slots.slots, 'current'));
  slots.powerOn();
  await runs('factory', 2);
});

test('when a release proves itself, it stays, and is what the next start takes', async () => {
  slots.slot('new', PROGRAMS.good);
  slots.beginTrial('new', 'factory');
  slots.powerOn();
  await runs('new');
  expect(slots.read('trial')).toBe('new factory 1\n');
  // It goes on for longer than a release may be silent.
  await waitFor(() => Number(slots.read('alive').split(' ')[1]) > 25);
  rmSync(join(slots.slots, 'trial'));
  expect(await slots.stop()).toMatchObject({ code: 0 });
  slots.powerOn();
  await runs('new', 2);
  expect(slots.starts()).toEqual(['new', 'new']);
  expect(current()).toBe('new');
});

test.each([
  ['crashes', PROGRAMS.crashes, /cannot go on/],
  ['is no program', 'if then fi', /[Ss]yntax error/],
  ['hangs', PROGRAMS.hangs, /did not prove itself/],
])(
  'when a release %s, it is started three times, then gives its place back, with what it said',
  async (_, program, said) => {
    if (program === PROGRAMS.hangs) slots.env['BOWLINE_SILENT_S'] = '1';
    slots.slot('old', PROGRAMS.good);
    symlinkSync('old', join(slots.slots, 'current'));
    slots.slot('new', program);
    slots.beginTrial('new', 'old');
    slots.powerOn();
    await runs('old');
    expect(slots.starts()).toEqual(['new', 'new', 'new', 'old']);
    expect(current()).toBe('old');
    expect(slots.read('trial')).toBe('');
    expect(slots.read('back')).toMatch(
      /^new never-committed it was started 3 times and did not prove itself\n/,
    );
    expect(slots.read('back')).toMatch(said);
  },
);

test('when a release has a Node that is none, or no tree at all, it gives its place back', async () => {
  const tree = slots.slot('new', PROGRAMS.good);
  writeFileSync(join(tree, 'runtime'), 'cut off', { mode: 0o644 });
  slots.beginTrial('new', 'factory');
  slots.powerOn();
  await runs('factory');
  expect(slots.read('back')).toMatch(/new never-committed[^]*(Permission denied|not found)/);
  await slots.powerOff();
  slots.beginTrial('other', 'factory');
  slots.powerOn();
  await runs('factory', 2);
  expect(slots.read('back')).toMatch(/^other never-committed/);
  expect(slots.starts()).toEqual(['factory', 'factory']);
});

test('when the updater says that the release is to go back, it is ended and the one before is started', async () => {
  slots.slot('new', PROGRAMS.good);
  slots.beginTrial('new', 'factory');
  // News of another release is none of this one.
  writeFileSync(join(slots.slots, 'back'), 'older probe-failed for long\n');
  slots.powerOn();
  await runs('new');
  writeFileSync(join(slots.slots, 'back'), 'new probe-failed its probe failed\n');
  await runs('factory');
  expect(slots.starts()).toEqual(['new', 'factory']);
  expect(slots.names()).not.toContain('current');
  expect(slots.read('back')).toBe('new probe-failed its probe failed\n');
});

test('when the tries cannot be counted, or the record is damaged, what stood before is started', async () => {
  slots.slot('new', PROGRAMS.good);
  slots.beginTrial('new', 'factory');
  mkdirSync(join(slots.slots, 'trial.new'));
  slots.powerOn();
  await runs('factory');
  await slots.powerOff();
  writeFileSync(join(slots.slots, 'trial'), 'new\n');
  slots.powerOn();
  await runs('factory', 2);
  expect(slots.starts()).toEqual(['factory', 'factory']);
});

test.each(['before', 'after'] as const)(
  'when the power goes %s any effect of the launcher, the release has no more than its tries, and the one before runs in the end',
  { timeout: 120_000 },
  async (when) => {
    for (let number = 1; ; number += 1) {
      slots = new Slots();
      slots.env = { ...slots.env, BOWLINE_TRIES: '1' };
      slots.slot('old', PROGRAMS.good);
      slots.slot('new', PROGRAMS.crashes);
      symlinkSync('old', join(slots.slots, 'current'));
      slots.beginTrial('new', 'old');
      slots.cutPowerAt(number, when);
      slots.powerOn();
      await runs('old');
      const found = {
        trial: slots.read('trial'),
        back: slots.read('back').split(' ')[0],
        current: current(),
      };
      expect(found, `power cut ${when} effect ${number}`).toEqual({ trial: '', back: 'new', current: 'old' });
      expect(slots.starts().filter((name) => name === 'new').length).toBeLessThanOrEqual(1);
      await slots.powerOff();
      if (slots.effects() < number) break;
      expect(number).toBeLessThan(100);
    }
  },
);

test('when a launcher is asked whether it would run, it says what is missing', () => {
  const check = (path: string) =>
    execFileSync('/bin/sh', [join(slots.folder, 'launch'), '--check'], {
      env: { PATH: path },
      stdio: 'pipe',
    });
  expect(check('/usr/bin:/bin').toString()).toBe('');
  expect(() => check('/nowhere')).toThrow(/there is no cat/);
});
