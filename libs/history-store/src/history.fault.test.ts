import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { seededRandom, startProcess, temporaryFolder, waitFor } from '@bowline/testing';
import { describe, expect, test } from 'vitest';
import { AT, DAY_MS, openTestHistory, seconds } from './testing/test-history.ts';

const WRITER = join(import.meta.dirname, 'testing', 'writer-process.ts');
const ALL = { series: 'a', from: 0, to: AT + 1000 * DAY_MS };
let ids = 0;
const newId = () => `01900000-0000-7000-8000-${String((ids += 1)).padStart(12, '0')}`;
const current = (folder: string) =>
  join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith('.sqlite'))
      .toSorted()
      .at(-1) ?? '',
  );

describe('a killed process', () => {
  test('when it is killed again and again, all that it had recorded is there, once, and the counts add up', async () => {
    const random = seededRandom();
    const folder = temporaryFolder();
    let next = 0;
    for (let life = 0; life < 6; life += 1) {
      const writer = startProcess(process.execPath, [WRITER, folder, String(next)]);
      const batches = () => writer.stdout().trim().split('\n').filter(Boolean).map(Number);
      const enough = random.integer(1, 60);
      await waitFor(() => batches().length >= enough, { what: 'batches' });
      await writer.kill();
      // The last one may have been recorded without saying so.
      next = (batches().at(-1) ?? next) + 1;
      const { history, incidents } = openTestHistory({ folder });
      const recorded = history.query(ALL).points.length / 60;
      expect([next, next + 1]).toContain(recorded);
      next = recorded;
      expect(history.query(ALL).points).toEqual(
        seconds('a', 60 * recorded).map(({ at, value }) => ({ at, value })),
      );
      const { totals, unsentSamples } = history.stats();
      expect({ recorded: totals.recorded, unsent: unsentSamples }).toEqual({
        recorded: 60 * recorded,
        unsent: 60 * Math.floor(recorded / 2),
      });
      expect(incidents).toEqual([]);
      history.close();
    }
  });

  test('when it is killed while old samples make room for new ones, what it gave up of the unsent ones is told', async () => {
    const folder = temporaryFolder();
    const writer = startProcess(process.execPath, [WRITER, folder, '0', '120000']);
    await waitFor(() => writer.stdout().split('\n').length > 700, { what: 'batches' });
    await writer.kill();
    const { history } = openTestHistory({ folder }, { maxBytes: 120_000 });
    const { totals, unsentSamples } = history.stats();
    const told = history.gaps(newId).reduce((sum, { count }) => sum + count, 0);
    expect(totals.unsentGivenUp).toBeGreaterThan(0);
    expect({ told, kept: unsentSamples }).toEqual({
      told: totals.unsentGivenUp,
      kept: totals.unsentRecorded - totals.unsentGivenUp,
    });
    history.close();
  });
});

describe('a damaged file', () => {
  /** A closed file of four hours of three series, in many blocks; the second half unsent. */
  function makeFile(): string {
    const folder = temporaryFolder();
    const { history } = openTestHistory({ folder });
    for (let part = 0; part < 48; part += 1) {
      const samples = ['a', 'b', 'c'].flatMap((name) => seconds(name, 300, AT + part * 300_000));
      history.record(samples, { unsent: part >= 24 });
      if (part % 3 === 2) history.seal();
    }
    history.close();
    return folder;
  }
  /** What is read is what was written; how much of it is there is returned. */
  function readBack(folder: string) {
    const opened = openTestHistory({ folder });
    const { history } = opened;
    const written = new Map(seconds('a', 48 * 300).map(({ at, value }) => [at, value]));
    const { points } = history.query({ ...ALL, from: AT });
    const raw = points.filter((point) => 'value' in point);
    for (const { at, value } of raw) expect(written.get(at)).toBe(value);
    // And it goes on.
    history.record(seconds('a', 10, AT + DAY_MS), { unsent: true });
    history.seal();
    history.prune(AT + DAY_MS);
    for (let block = history.nextUnsent(); block !== undefined; block = history.nextUnsent()) {
      const known = block.samples.filter(({ series, at }) => series === 'a' && at < AT + DAY_MS);
      for (const { at, value } of known) expect(written.get(at)).toBe(value);
      history.markSent(block);
    }
    expect(history.query({ ...ALL, from: AT + DAY_MS }).points).toHaveLength(10);
    history.close();
    return { ...opened, raw: raw.length };
  }

  test('when a page of it is overwritten anywhere, nothing wrong is read, most is saved, and it goes on', () => {
    const random = seededRandom();
    const original = makeFile();
    const pages = Array.from({ length: statSync(current(original)).size / 4096 }, (_, page) => page);
    let found = 0;
    // Another one each time: three of them lead to all of the others.
    for (let round = 0; round < 8; round += 1) {
      const [page = 0] = pages.splice(random.integer(0, pages.length - 1), 1);
      const folder = temporaryFolder();
      copyFileSync(current(original), join(folder, 'history-1.sqlite'));
      const handle = openSync(join(folder, 'history-1.sqlite'), 'r+');
      writeSync(handle, Buffer.alloc(4096, random.integer(0, 255)), 0, 4096, 4096 * page);
      closeSync(handle);
      const { incidents, raw } = readBack(folder);
      for (const { quarantine } of incidents) expect(existsSync(quarantine)).toBe(true);
      if (raw > 10_000) found += 1;
    }
    expect(found).toBeGreaterThan(3);
  });

  test('when single bits of it are flipped, nothing wrong is read', () => {
    const random = seededRandom();
    const original = makeFile();
    for (let round = 0; round < 20; round += 1) {
      const folder = temporaryFolder();
      const bytes = readFileSync(current(original));
      const at = random.integer(0, bytes.length - 1);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7));
      writeFileSync(join(folder, 'history-1.sqlite'), bytes);
      readBack(folder);
    }
  });

  test.each([
    ['pending', 'samples INTEGER', 'camples INTEGER'],
    ['blocks', 'last_at INTEGER', 'last_au INTEGER'],
    ['facts', 'value TEXT', 'valuf TEXT'],
    ['blocks', 'unsent INTEGER NOT NULL,\n    crc', 'uNsent'],
  ])('when it calls a column of %s by another name, what can be read is saved', (_, name, other) => {
    const original = makeFile();
    const folder = temporaryFolder();
    const bytes = readFileSync(current(original));
    bytes.write(other, bytes.indexOf(name));
    writeFileSync(join(folder, 'history-1.sqlite'), bytes);
    expect(readBack(folder).incidents).toHaveLength(1);
  });

  test('when it was torn off, what is before the tear is saved and the file kept', () => {
    const folder = makeFile();
    const file = current(folder);
    // Behind the pages that lead to the rows before it: without those none is found.
    truncateSync(file, 4096 * Math.floor((statSync(file).size / 4096) * (2 / 3)));
    const { incidents } = readBack(folder);
    expect(incidents).toMatchObject([{ quarantine: file }]);
    expect(incidents[0]?.rows).toBeGreaterThan(10);
  });

  test('when it is no database at all, a new one takes its place', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'history-1.sqlite'), Buffer.alloc(100_000, 'nonsense'));
    const { history, incidents } = openTestHistory({ folder });
    history.record(seconds('a', 5), { unsent: false });
    expect(history.query(ALL).points).toHaveLength(5);
    expect(incidents).toMatchObject([{ rows: 0 }]);
    history.close();
  });

  test('when a crash left a file that was being filled, it is filled anew', () => {
    const folder = makeFile();
    const before = openTestHistory({ folder });
    const points = before.history.query(ALL).points.length;
    before.history.close();
    // Made, but never completed.
    writeFileSync(join(folder, 'history-2.sqlite'), '');
    const { history, incidents } = openTestHistory({ folder });
    expect(history.query(ALL).points).toHaveLength(points);
    expect(incidents).toHaveLength(1);
    history.close();
  });
});
