import { describe, expect, test } from 'vitest';
import { auditLines, markOf } from '../testing/audit-lines.ts';
import { followAuditChain, readAuditEntry } from '@bowline/identity';
import { readJournal } from './audit-journal.ts';

const lines = auditLines([['a'], ['b'], ['c'], ['d'], ['e']]);
const current = (...of: (string | undefined)[]) => [
  { name: 'audit.ndjson', lines: of.filter((line) => line !== undefined) },
];
const journal = (files: { name: string; lines: string[] }[]) =>
  readJournal(
    files.map(({ name, lines: texts }) => ({ name, lines: texts.map((text) => readAuditEntry(text)) })),
    followAuditChain,
  );
const faultsOf = (files: Parameters<typeof journal>[0]) => journal(files).faults;

describe('readJournal', () => {
  test('when nothing was touched, it is whole across its files, whatever their order', () => {
    const files = [
      { name: 'audit.ndjson', lines: lines.slice(3) },
      { name: 'audit.ndjson.1', lines: lines.slice(0, 3) },
    ];
    const { entries, faults, anchor, head } = journal(files);
    expect(faults).toEqual([]);
    expect(entries.map(({ action }) => action)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect([anchor.seq, head]).toEqual([0, expect.objectContaining({ seq: 5, hash: markOf(lines[4]).hash })]);
  });

  test('when the oldest were forgotten, it begins behind them', () => {
    const { faults, anchor } = journal(current(...lines.slice(2)));
    expect([faults, anchor]).toEqual([[], { seq: 2, hash: markOf(lines[1]).hash }]);
  });

  test.each([
    [
      'changed',
      [lines[0], lines[1]?.replace('"b"', '"x"'), ...lines.slice(2)],
      'line 2: entry 2 was changed',
    ],
    ['taken out', lines.toSpliced(1, 1), 'line 2: after entry 1 comes entry 3'],
    [
      'put in place of another',
      lines.with(1, auditLines([['x'], ['y']])[1] ?? ''),
      'line 2: entry 2 does not follow from entry 1',
    ],
  ])('when an entry was %s, it is said where', (_, changed, fault) => {
    expect(faultsOf(current(...changed))[0]).toBe(`audit.ndjson, ${fault}`);
  });

  test('when it was written anew from the first entry on, that cannot be told from it alone', () => {
    expect(faultsOf(current(...auditLines([['x']])))).toEqual([]);
  });

  test('when the first entry says that it follows something, it was not the first', () => {
    const forged = auditLines([['x']], { seq: 0, hash: 'f'.repeat(64) });
    expect(faultsOf(current(...forged))).toEqual([
      'audit.ndjson, line 1: entry 1 does not follow from entry 0',
    ]);
  });

  test('when it is broken twice, both places are told, and what lies between is not', () => {
    const broken = [lines[0], lines[1]?.replace('"b"', '"x"'), lines[2], lines[4]];
    expect(faultsOf(current(...broken))).toEqual([
      'audit.ndjson, line 2: entry 2 was changed',
      'audit.ndjson, line 4: after entry 3 comes entry 5',
    ]);
  });

  test('when the disk has damaged a last line, which the broker has set aside, both sides of the gap are told', () => {
    const [after = ''] = auditLines([['ssh.audit-damaged']], { seq: 2, hash: markOf(lines[0]).hash });
    const files = [
      { name: 'audit.ndjson', lines: [after] },
      { name: 'audit.ndjson.damaged', lines: [lines[0] ?? '', '{"seq":2,\u0000\u0000', '7'] },
    ];
    expect(journal(files)).toMatchObject({
      entries: [{ action: 'a' }, { action: 'ssh.audit-damaged' }],
      faults: [
        'audit.ndjson.damaged, line 2 cannot be read',
        'audit.ndjson, line 1: after entry 1 comes entry 3',
      ],
    });
  });

  test('when there is nothing, nothing is broken', () => {
    expect(journal([])).toEqual({
      entries: [],
      faults: [],
      anchor: { seq: 0, hash: '' },
      head: { seq: 0, hash: '' },
    });
  });
});
