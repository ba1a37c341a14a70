import { expect, test } from 'vitest';
import { unreadableFormat } from './data-formats.ts';

const standing = { store: { reads: 3, writes: 2 }, history: { reads: 1, writes: 1 } };

test('when a release writes what the one before reads, there is a way back', () => {
  expect(unreadableFormat({ store: { reads: 4, writes: 3 } }, standing)).toBeUndefined();
  expect(unreadableFormat({ store: { reads: 1, writes: 1 } }, undefined)).toBeUndefined();
});

test('when it writes a form that the one before cannot read, it may not be tried, and the reason names the data', () => {
  expect(unreadableFormat({ history: { reads: 2, writes: 2 } }, standing)).toContain(
    'writes version 2 of the history, what runs now reads up to 1',
  );
});

test('when a release does not say what it writes, it is no release of Bowline', () => {
  expect(unreadableFormat(undefined, standing)).toContain('no release of Bowline');
});

test('when it brings data of a kind that nobody knew, nothing that was there is at risk', () => {
  expect(unreadableFormat({ photos: { reads: 9, writes: 9 } }, standing)).toBeUndefined();
});
