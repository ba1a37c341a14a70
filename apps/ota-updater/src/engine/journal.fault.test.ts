import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { createLogger } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { Journal } from './journal.ts';

const log = createLogger({ app: 'test', write: () => {} });
const order = { aud: 'd', jti: 'j', exp: 1, channel: 'stable' };
const plan = {
  name: 'kiosk',
  version: '1.0.0',
  kind: 'app',
  digest: 'd1',
  files: 1,
  totalBytes: 1,
  fetchBytes: 1,
  reusedBytes: 0,
  diskBytes: 1,
  inodes: 1,
};

let file: string;
const open = () => new Journal({ file, higher: (a, b) => b ?? a, log, nowMs: () => 1 });
beforeEach(() => {
  file = join(temporaryFolder(), 'updates.journal');
});
function write(orderId = 'o'): Journal {
  const journal = open();
  journal.append({ type: 'accepted', orderId, at: 1, order, eventId: 'e' });
  journal.append({ type: 'fetching', orderId, at: 2, plan });
  journal.append({ type: 'verified', orderId, at: 3 });
  return journal;
}

describe('Journal', () => {
  test('when a newer updater has written what this one does not know, the rest counts, and nothing is damaged', () => {
    write().close();
    const sealed = (record: object) => {
      const json = JSON.stringify(record);
      return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
    };
    appendFileSync(file, sealed({ type: 'postponed', orderId: 'o', at: 4 }));
    const journal = open();
    expect(journal.damagedLines).toBe(0);
    expect(journal.ledger.update('o')?.phase).toBe('verified');
    const image = journal.ledger.image();
    journal.close();
    const strange = { ...image, updates: [...image.updates, { orderId: 'p', phase: 'postponed' }] };
    writeFileSync(file, sealed({ type: 'ledger', ledger: strange, at: 5 }));
    expect(open().ledger.update('o')?.phase).toBe('verified');
    expect(open().ledger.update('p')).toBeUndefined();
  });

  test('when it is read again, the ledger is what was appended', () => {
    const first = write();
    first.close();
    const again = open();
    expect(again.ledger.image()).toEqual(first.ledger.image());
    expect(again.damagedLines).toBe(0);
  });

  test('when its end was cut off at any byte, what was whole counts and it can be appended to', () => {
    write().close();
    const whole = readFileSync(file);
    const ends = whole.toString().split('\n').slice(0, -1);
    const phases = ['accepted', 'fetching', 'verified'];
    for (let length = whole.length - 1; length > ends[0]!.length + 1; length -= 7) {
      writeFileSync(file, whole.subarray(0, length));
      const lines = whole.subarray(0, length).toString().split('\n').length - 1;
      const journal = open();
      expect(journal.ledger.update('o')?.phase).toBe(phases[lines - 1]);
      expect(journal.damagedLines).toBe(0);
      journal.append({ type: 'cancelled', orderId: 'o', at: 9 });
      journal.close();
      expect(open().ledger.update('o')?.phase).toBe('cancelled');
    }
  });

  test('when a bit of any line turns, that line does not count, the file is kept beside, and the rest stands', () => {
    write().close();
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 11) {
      const bent = Buffer.from(whole);
      bent[at] = (bent[at] ?? 0) ^ 0x04;
      writeFileSync(file, bent);
      const journal = open();
      journal.close();
      expect(journal.damagedLines).toBeGreaterThan(0);
      expect(existsSync(`${file}.damaged`)).toBe(true);
      // What is left reads without complaint.
      expect(open().ledger.image()).toEqual(journal.ledger.image());
    }
  });

  test('when a record cannot follow, it is refused and nothing of it is written', () => {
    const journal = write();
    const before = readFileSync(file, 'utf8');
    expect(() => journal.append({ type: 'committed', orderId: 'o', at: 4 })).toThrow(
      'cannot follow verified',
    );
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test('when it has grown long, it is written anew as one record, and says the same', () => {
    const journal = open();
    for (let index = 0; index < 120; index += 1) {
      const orderId = `o${index}`;
      journal.append({ type: 'accepted', orderId, at: 1, order, eventId: 'e'.repeat(8000) });
      journal.append({ type: 'cancelled', orderId, at: 2 });
      journal.append({ type: 'told', orderId, at: 3 });
    }
    journal.close();
    expect(readFileSync(file).length).toBeLessThan(512 * 1024);
    expect(open().ledger.image()).toEqual(journal.ledger.image());
    appendFileSync(file, 'half a li');
    expect(open().ledger.image()).toEqual(journal.ledger.image());
  });
});
