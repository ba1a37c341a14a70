import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder, waitFor } from '@bowline/testing';
import { createLogger } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { sessionTimes } from '../core/session-time.ts';
import { AuditJournal } from './audit-journal.ts';
import { cgroupGroups } from './session-group.ts';
import { SessionProcesses } from './session-processes.ts';
import type { SessionOutcome } from './session-records.ts';
import { ATTACHED, openTestRelay, PAIRED } from '../testing/test-relay.ts';
import { Session } from './session.ts';

const log = createLogger({ app: 'test', write: () => undefined });

interface Facts {
  relay?: string;
  letInUntil?: (atMs: number) => void;
  sshd?: string;
  idleSeconds?: number;
}

/** A session of ten minutes. @param relay where nobody is, if it is not given. */
function tenMinutes(
  clock: FakeClock,
  { relay = 'ws://127.0.0.1:1', letInUntil, sshd = '/bin/false', idleSeconds = 86_400 }: Facts = {},
) {
  const folder = temporaryFolder();
  const sessionId = newId();
  const nbf = Math.floor(clock.wallMs() / 1000);
  const grant = {
    aud: 'd1',
    jti: newId(),
    sessionId,
    user: 'support',
    by: 'ada',
    reason: 'a look',
    nbf,
    exp: nbf + 600,
    idleSeconds,
    capabilities: ['pty'],
    streams: 1,
    publicKey: 'none',
  };
  const { signal } = new AbortController();
  const client = { enqueue: () => Promise.resolve() };
  const audit = new AuditJournal(folder, () => 1_000_000, { client, clock, log, signal });
  const session = join(folder, 'session');
  mkdirSync(session);
  return new Session(
    {
      grant,
      access: { tunnelUrl: `${relay}/v1/tunnels/${sessionId}/device`, token: 't' },
      times: sessionTimes(grant, nbf * 1000, clock.sinceBootMs()),
      folder: {
        folder: session,
        config: '',
        hostKey: '',
        hostKeySha256: '',
        letInUntil: letInUntil ?? (() => undefined),
      },
      processes: new SessionProcesses(sessionId, cgroupGroups(undefined), log),
      recorder: undefined,
      receivedAtMs: clock.sinceBootMs(),
      signer: 'k1',
    },
    {
      clock,
      log,
      audit,
      sshdPath: sshd,
      streamRate: () => ({ burst: 9, everyMs: 9 }),
      ca: undefined,
      way: { own: () => undefined },
      random: () => 0.5,
      note: () => undefined,
    },
  );
}
/** What it waits for at its end are real processes. */
const endOf = (session: Session, clock: FakeClock) => {
  let outcome: SessionOutcome | undefined;
  session.onEnded = (ended) => (outcome = ended);
  return async () => {
    await clock.advance(20);
    return outcome;
  };
};

test('when the device was suspended past the end of a grant, the session ends as soon as it wakes', async () => {
  const clock = new FakeClock();
  const outcome = endOf(tenMinutes(clock), clock);
  await clock.advance(60_000);
  expect(await outcome()).toBeUndefined();
  clock.suspend(3_600_000);
  await clock.advance(250);
  expect(await waitFor(outcome)).toMatchObject({ status: 'succeeded', result: { end: 'expired' } });
});

test('when the wall clock was set since, the key is let in until the end as that clock now has it', async () => {
  const relay = await openTestRelay((socket) => {
    socket.send(ATTACHED);
    socket.send(PAIRED);
  });
  const clock = new FakeClock(0);
  const until: number[] = [];
  const session = tenMinutes(clock, { relay: relay.origin, letInUntil: (at) => void until.push(at) });
  const outcome = endOf(session, clock);
  clock.setWallMs(1_800_000_000_000);
  await waitFor(() => until.length > 0);
  expect(new Set(until)).toEqual(new Set([1_800_000_600_000])); // once for each stream: there may be another by now
  void session.end('cancelled');
  await waitFor(outcome);
  relay.close();
});

test('when bytes move, a session is not idle; once none do, it is', async () => {
  const sshd = join(temporaryFolder(), 'sshd');
  writeFileSync(sshd, '#!/bin/sh\nexec cat\n', { mode: 0o755 });
  let operator: WebSocket | undefined;
  let echoed = '';
  const relay = await openTestRelay((socket) => {
    socket.send(ATTACHED);
    socket.send(PAIRED);
    socket.on('message', (data: Buffer) => (echoed += data.toString()));
    operator = socket;
  });
  const clock = new FakeClock();
  const outcome = endOf(tenMinutes(clock, { relay: relay.origin, sshd, idleSeconds: 20 }), clock);
  for (let n = 1; n <= 3; n += 1) {
    await waitFor(() => operator);
    operator?.send(Buffer.from('x'));
    await waitFor(() => echoed.length === n, { what: `piece ${n} to come back` });
    await clock.advance(15_000);
    expect(await outcome()).toBeUndefined();
  }
  await clock.advance(10_000);
  expect(await waitFor(outcome)).toMatchObject({ result: { end: 'idle', streams: 1 } });
  relay.close();
});
