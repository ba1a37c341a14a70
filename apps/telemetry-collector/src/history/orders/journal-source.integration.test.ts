import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needs, temporaryFolder } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { writeJournal, type TestEntry } from '../../testing/journal.ts';
import { BEGINNING, behind, type Cursor } from './item.ts';
import { journalSource } from './journal-source.ts';

const AT = 1_790_000_000_000;
const signal = new AbortController().signal;
const entry = (second: number, message: string | Buffer, more: TestEntry['fields'] = {}): TestEntry => ({
  at: AT + 1000 * second,
  fields: { MESSAGE: message, PRIORITY: '6', SYSLOG_IDENTIFIER: 'kiosk', _PID: '12', ...more },
});
const wish = (more: object = {}) => ({ kind: 'journal' as const, from: AT, to: AT + 3_600_000, ...more });

async function read(command: string[], request: object, cursor: Cursor = BEGINNING) {
  const source = journalSource(command, wish(request));
  const found: { message: string }[] = [];
  const cursors: Cursor[] = [cursor];
  for await (const item of source.items(cursor, signal)) {
    found.push(JSON.parse(item.text) as { message: string });
    cursors.push(behind(cursors.at(-1) ?? BEGINNING, item));
  }
  return { found, messages: found.map(({ message }) => message), cursors };
}

describe.runIf(needs('systemd-journal-remote'))('journalSource, with a real journal', () => {
  test('when all of it is asked for, entries come in their order, with what matters of them; the estimate is exact', async () => {
    const command = writeJournal(temporaryFolder(), [
      entry(0, 'started', { _SYSTEMD_UNIT: 'kiosk.service' }),
      entry(1, Buffer.from([0x68, 0xff, 0x69])),
      entry(2, 'l'.repeat(100_000), { PRIORITY: '3' }),
    ]);
    const { found } = await read(command, {});
    expect(found).toEqual([
      {
        time: new Date(AT).toISOString(),
        priority: 6,
        unit: 'kiosk.service',
        identifier: 'kiosk',
        pid: 12,
        message: 'started',
      },
      expect.objectContaining({ message: 'h\ufffdi' }),
      expect.objectContaining({ message: 'l'.repeat(16_384), priority: 3 }),
    ]);
    const { items, bytes } = await journalSource(command, wish()).estimate(signal);
    expect([items, bytes]).toEqual([3, JSON.stringify(found).length + 1 + 2]);
  });

  test('when an entry is too long to be taken, a note stands in its place', async () => {
    const command = writeJournal(temporaryFolder(), [
      entry(0, 'a'),
      entry(1, 'l'.repeat(2 ** 20)),
      entry(2, 'b'),
    ]);
    const { messages } = await read(command, {});
    expect(messages.toSorted()).toEqual(['An entry of more than 1048576 characters is left out.', 'a', 'b']);
  });

  test('when a range is asked for, its first moment belongs to it and its last does not', async () => {
    const command = writeJournal(
      temporaryFolder(),
      [0, 1, 2, 3].map((n) => entry(n, `${n}`)),
    );
    expect((await read(command, { from: AT + 1000, to: AT + 3000 })).messages).toEqual(['1', '2']);
  });

  test('when an app is named, entries of its unit, about its unit and under its name come; a filter is a text', async () => {
    const command = writeJournal(temporaryFolder(), [
      entry(0, 'by the unit', { _SYSTEMD_UNIT: 'player.service', SYSLOG_IDENTIFIER: 'sh' }),
      entry(1, 'Started Player.', { _PID: '1', UNIT: 'player.service', SYSLOG_IDENTIFIER: 'systemd' }),
      entry(2, 'not its own', { UNIT: 'player.service' }),
      entry(3, 'under its name', { SYSLOG_IDENTIFIER: 'player' }),
      entry(4, 'of another'),
    ]);
    const ofApp = ['by the unit', 'Started Player.', 'under its name'];
    expect((await read(command, { app: 'player' })).messages).toEqual(ofApp);
    expect((await read(command, { app: 'player.service' })).messages).toEqual(ofApp.slice(0, 2));
    expect((await read(command, { app: 'player', filter: 'by the' })).messages).toEqual(['by the unit']);
  });

  test('when it goes on behind any entry, the rest comes, though many share a moment and the clock was put back', async () => {
    const command = writeJournal(temporaryFolder(), [
      entry(10, 'a'),
      entry(10, 'b'),
      entry(10, 'b'),
      entry(5, 'c'),
      entry(5, 'd'),
      entry(11, 'e'),
    ]);
    const { messages, cursors } = await read(command, {});
    expect(messages).toEqual(['a', 'b', 'b', 'c', 'd', 'e']);
    for (const [index, cursor] of cursors.entries()) {
      // As it is kept over a restart.
      const kept = JSON.parse(JSON.stringify(cursor)) as Cursor;
      expect((await read(command, {}, kept)).messages).toEqual(messages.slice(index));
    }
  });

  test('when it is cancelled while it reads, it ends so', async () => {
    const command = writeJournal(
      temporaryFolder(),
      Array.from({ length: 5000 }, (_, n) => entry(n, `${n}`)),
    );
    const wanted = new AbortController();
    const items = journalSource(command, wish({ to: AT + 9_000_000 })).items(BEGINNING, wanted.signal);
    await items[Symbol.asyncIterator]().next();
    wanted.abort(new Error('cancelled'));
    await expect(
      (async () => {
        for await (const item of items) void item;
      })(),
    ).rejects.toThrow('cancelled');
  });

  test('when one file of the journal is damaged, what the others have comes', async () => {
    const folder = temporaryFolder();
    const command = writeJournal(folder, [entry(0, 'whole')]);
    writeFileSync(join(folder, 'damaged.journal'), Buffer.alloc(5000, 7));
    expect((await read(command, {})).messages).toEqual(['whole']);
  });
});

describe('journalSource', () => {
  const estimate = (...command: string[]) => journalSource(command, wish()).estimate(signal);

  test('when the device has no journalctl, no journal, or an empty one, it is refused and says so', async () => {
    const empty = temporaryFolder();
    await expect(estimate('/nowhere/journalctl')).rejects.toMatchObject({
      code: 'no-journal',
      message: expect.stringContaining('/nowhere/journalctl'),
    });
    await expect(estimate('/usr/bin/journalctl', '-D', join(empty, 'none'))).rejects.toMatchObject({
      code: 'no-journal',
      message: expect.stringContaining('No such file'),
    });
    mkdirSync(join(empty, 'log'));
    await expect(estimate('/usr/bin/journalctl', '-D', join(empty, 'log'))).rejects.toMatchObject({
      code: 'no-journal',
      message: expect.stringContaining('systemd-journald'),
    });
  });
});
