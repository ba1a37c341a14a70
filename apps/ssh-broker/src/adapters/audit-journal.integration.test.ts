import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDIT_START, followAuditChain } from '@bowline/identity';
import type { AuditEntry, Event } from '@bowline/messages';
import { createLogger } from '@bowline/runtime';
import { CancelledError, TransientError } from '@bowline/runtime/errors';
import { FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { beforeEach, expect, test } from 'vitest';
import { AuditJournal } from './audit-journal.ts';

const log = createLogger({ app: 'test', write: () => undefined });

let folder: string;
let taken: { id: string; kind: string }[];
/** What a call of the gateway comes to. */
let answer: () => Promise<void>;
beforeEach(() => {
  folder = temporaryFolder();
  taken = [];
  answer = () => Promise.resolve();
});

/** One life of the broker. */
function open(clock = new FakeClock()) {
  const life = new AbortController();
  const client = {
    async enqueue(messages: readonly { id: string; payload: unknown }[]) {
      await answer();
      for (const { id, payload } of messages) taken.push({ id, kind: (payload as Event).kind });
    },
  };
  const ports = { client, clock, log, signal: life.signal } as never;
  return {
    journal: new AuditJournal(folder, () => 100_000, ports),
    end: () => life.abort(new CancelledError('stopping', 'the app ends')),
    clock,
  };
}
const lines = (name: string) => readFileSync(join(folder, name), 'utf8').trim().split('\n');
const entries = (name: string) => lines(name).map((line) => JSON.parse(line) as AuditEntry);

test('when the broker ends before the gateway has taken its events, the next life sends them, in their order', async () => {
  answer = () => Promise.reject(new TransientError('gateway-away', 'away'));
  const first = open();
  first.journal.append('ssh.started', { sessionId: 's1' });
  first.journal.note('ssh.stream', { sessionId: 's1' });
  await first.clock.advance(100);
  first.end();
  expect(taken).toEqual([]);
  answer = () => Promise.resolve();
  const second = open();
  second.journal.note('ssh.ended', { sessionId: 's1' });
  await second.journal.sent();
  expect(taken.map(({ kind }) => kind)).toEqual(['ssh.started', 'ssh.stream', 'ssh.ended']);
  const third = open();
  await third.journal.sent();
  expect(taken).toHaveLength(3);
});

test('when the gateway takes none for a while, the first goes on before the second', async () => {
  let refused = 0;
  answer = () =>
    (refused += 1) <= 2 ? Promise.reject(new TransientError('gateway-away', 'away')) : Promise.resolve();
  const { journal, clock } = open();
  journal.append('ssh.started', {});
  journal.note('ssh.ended', {});
  await waitFor(async () => {
    await clock.advance(1000);
    return taken.length === 2;
  });
  expect(taken.map(({ kind }) => kind)).toEqual(['ssh.started', 'ssh.ended']);
});

test.each([
  ['is no JSON', () => '{"seq":2,"ha\u0000\u0000'],
  ['is JSON of something else', () => '7'],
])('when the last line %s, the file is set aside, and the numbers show the gap', async (_, damage) => {
  const first = open();
  for (const kind of ['a', 'b']) first.journal.append(kind, {});
  await first.journal.sent();
  const [a = '', b = ''] = lines('audit.ndjson');
  writeFileSync(join(folder, 'audit.ndjson'), `${a}\n${damage()}\n`);
  const { journal } = open();
  journal.append('c', {});
  await journal.sent();
  expect(lines('audit.ndjson.damaged')[0]).toBe(a);
  const { hash } = JSON.parse(a) as AuditEntry;
  expect(entries('audit.ndjson')).toMatchObject([
    { seq: 3, action: 'ssh.audit-damaged', prev: hash },
    { seq: 4, action: 'c' },
  ]);
  expect(b).toContain('"seq":2');
  expect(taken.map(({ kind }) => kind)).toEqual(['a', 'b', 'ssh.audit-damaged', 'c']);
});

test('when the broker is killed before it knows that an event was taken, that one goes again under the same id, those before it do not', async () => {
  const first = open();
  answer = () => (taken.length < 1 ? Promise.resolve() : new Promise(() => undefined));
  for (const kind of ['a', 'b', 'c']) first.journal.note(kind, {});
  await waitFor(() => taken.length === 1);
  const [, b] = lines('audit-unsent.ndjson').map((line) => JSON.parse(line) as { id: string });
  answer = () => Promise.resolve();
  await open().journal.sent();
  expect(taken.map(({ kind }) => kind)).toEqual(['a', 'b', 'c']);
  expect(taken[1]?.id).toBe(b?.id);
});

test('when a crash came between outbox and journal, the journal has the entry all the same', async () => {
  answer = () => new Promise(() => undefined);
  const first = open();
  for (const kind of ['a', 'b']) first.journal.append(kind, {});
  const [a = '', b = ''] = lines('audit.ndjson');
  writeFileSync(join(folder, 'audit.ndjson'), `${a}\n${b.slice(0, 40)}`);
  answer = () => Promise.resolve();
  const second = open();
  second.journal.append('c', {});
  await second.journal.sent();
  expect(entries('audit.ndjson').map(({ action }) => action)).toEqual(['a', 'b', 'c']);
  expect(followAuditChain(AUDIT_START, entries('audit.ndjson')).fault).toBeUndefined();
  expect(taken.map(({ kind }) => kind)).toEqual(['a', 'b', 'c']);
});

test('when many are taken while others wait, the file does not grow with them', async () => {
  const { journal } = open();
  for (let count = 0; count < 300; count += 1) journal.note('a', {});
  answer = () => (taken.length < 220 ? Promise.resolve() : new Promise(() => undefined));
  await waitFor(() => taken.length === 220);
  await waitFor(() => lines('audit-unsent.ndjson').length < 130);
  answer = () => Promise.resolve();
  const before = taken.length;
  await open().journal.sent();
  expect(taken.length - before).toBe(80);
});

test('when a crash cut the last line off, the chain goes on without it', () => {
  open().journal.append('ssh.started', {});
  appendFileSync(join(folder, 'audit.ndjson'), '{"seq":2,"at":17');
  open().journal.append('ssh.started', {});
  expect(followAuditChain(AUDIT_START, entries('audit.ndjson'))).toMatchObject({ mark: { seq: 2 } });
  expect(existsSync(join(folder, 'audit.ndjson.damaged'))).toBe(false);
});
