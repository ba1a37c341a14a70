import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder } from '@bowline/testing';
import { createLogger } from '@bowline/runtime';
import { v7 as newId } from 'uuid';
import { expect, test } from 'vitest';
import { sessionTimes } from '../core/session-time.ts';
import { AuditJournal } from './audit-journal.ts';
import { cgroupGroups } from './session-group.ts';
import { SessionProcesses } from './session-processes.ts';
import type { SessionOutcome } from './session-records.ts';
import { Session } from './session.ts';

const log = createLogger({ app: 'test', write: () => undefined });

/** A session of ten minutes whose relay is not there. */
function tenMinutes(clock: FakeClock) {
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
    idleSeconds: 86_400,
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
      access: { tunnelUrl: `ws://127.0.0.1:1/v1/tunnels/${sessionId}/device`, token: 't' },
      times: sessionTimes(grant, nbf * 1000, clock.sinceBootMs()),
      folder: { folder: session, config: '', hostKey: '', hostKeySha256: '' },
      processes: new SessionProcesses(sessionId, cgroupGroups(undefined), log),
      recorder: undefined,
      receivedAtMs: clock.sinceBootMs(),
      signer: 'k1',
    },
    { clock, log, audit, sshdPath: '/bin/false', ca: undefined, random: () => 0.5, note: () => undefined },
  );
}

test('when the device was suspended past the end of a grant, the session ends as soon as it wakes', async () => {
  const clock = new FakeClock();
  const session = tenMinutes(clock);
  let outcome: SessionOutcome | undefined;
  session.onEnded = (ended) => (outcome = ended);
  await clock.advance(60_000);
  expect(outcome).toBeUndefined();
  clock.suspend(3_600_000);
  await clock.advance(250);
  expect(await session.end('cancelled')).toMatchObject({ result: { end: 'expired', seconds: 3660 } });
  expect(outcome).toMatchObject({ status: 'succeeded' });
});
