import { appendFileSync, existsSync, readFileSync } from 'node:fs';
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

test('when the last line is none of ours, it is set aside, and the chain goes on from the last that is', async () => {
  const first = open();
  first.journal.append('ssh.started', {});
  appendFileSync(join(folder, 'audit.ndjson'), '{"seq":2,"ha\u0000\u0000\n');
  const { journal } = open();
  journal.append('ssh.started', {});
  const [whole = ''] = lines('audit.ndjson.damaged');
  const after = entries('audit.ndjson');
  expect(after.map(({ action }) => action)).toEqual(['ssh.audit-damaged', 'ssh.started']);
  expect(followAuditChain(AUDIT_START, [JSON.parse(whole) as AuditEntry, ...after]).fault).toBeUndefined();
});

test('when a crash cut the last line off, the chain goes on without it', () => {
  open().journal.append('ssh.started', {});
  appendFileSync(join(folder, 'audit.ndjson'), '{"seq":2,"at":17');
  open().journal.append('ssh.started', {});
  expect(followAuditChain(AUDIT_START, entries('audit.ndjson'))).toMatchObject({ mark: { seq: 2 } });
  expect(existsSync(join(folder, 'audit.ndjson.damaged'))).toBe(false);
});
