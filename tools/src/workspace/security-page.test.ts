import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_APPS } from '@bowline/pm2';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

const page = readFileSync(join(WORKSPACE, 'docs/security.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| -'));
const firstCell = (row: string) => row.split('|')[1]?.trim() ?? '';
const linksIn = (text: string) => [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);

/** The rows of the table under this head. */
function tableUnder(head: string): string[] {
  const start = rows.findIndex((row) => firstCell(row) === head);
  const end = rows.findIndex((row, index) => index > start && ['who', 'process'].includes(firstCell(row)));
  return rows.slice(start + 1, end < 0 ? undefined : end);
}

test('when the page leads to a file, that file is there', () => {
  const missing = linksIn(page).filter((path) => !existsSync(join(WORKSPACE, 'docs', path)));
  expect(linksIn(page).length).toBeGreaterThan(30);
  expect(missing).toEqual([]);
});

test('when it says what somebody cannot do, a test shows it', () => {
  const threats = tableUnder('who');
  expect(threats.map(firstCell)).toEqual(
    expect.arrayContaining([
      'the captured server',
      'the captured gateway',
      'the captured executor (or updater, broker)',
      'the thief with the SD card',
      'a hostile user on the device',
    ]),
  );
  const unproven = threats.filter((row) => !linksIn(row).some((path) => path.endsWith('.test.ts')));
  expect(unproven.map(firstCell)).toEqual([]);
});

test('when a device has an app, the table of rights has its row', () => {
  expect(tableUnder('process').map(firstCell)).toEqual([...DEVICE_APPS]);
});
