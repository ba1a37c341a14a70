import { join } from 'node:path';
import { createLogger, systemClock } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import type { LedgerRecord } from '../core/ledger.ts';
import { UpdateEngine } from './engine.ts';
import { Journal } from './journal.ts';
import type { EnginePorts } from './ports.ts';

/** A journal on a disk that has no room for a while. */
class FullJournal extends Journal {
  isFull = false;
  refused = 0;
  override append(record: LedgerRecord): void {
    if (!this.isFull) return super.append(record);
    this.refused += 1;
    throw new TransientError('no-space', 'full');
  }
}

const log = createLogger({ app: 'test', level: () => 'error' });
const CLAIMS = { aud: 'd1', jti: 'j', exp: 1, channel: 'stable', name: 'kiosk', version: '1.0.0' };

test('when the disk has no room for a cancel that was taken, the update is cancelled once it has', async () => {
  const file = join(temporaryFolder(), 'updates.journal');
  const journal = new FullJournal({ file, higher: (a) => a, log, nowMs: Date.now });
  let asked = 0;
  const source = {
    resolve: (_: unknown, until: AbortSignal) => {
      asked += 1;
      return new Promise((_resolve, reject) =>
        until.addEventListener('abort', () => reject(until.reason as Error)),
      );
    },
  };
  const engine = new UpdateEngine({
    journal,
    clock: systemClock,
    log,
    random: () => 0,
    newId: () => 'e1',
    limits: { maxWaiting: 4 },
    sourceOf: () => source,
    isInRollout: () => true,
    report: async () => {},
    tell: async () => {},
    progress: () => {},
    changed: () => {},
  } as unknown as EnginePorts);
  engine.start();
  for (const id of ['first', 'second']) engine.take(id, CLAIMS);
  await waitFor(() => asked === 1);
  journal.isFull = true;
  expect([engine.cancel('first'), engine.cancel('second')]).toEqual(['stopping', 'stopping']);
  await waitFor(() => journal.refused >= 2);
  journal.isFull = false;
  const phases = () => journal.ledger.updates().map(({ phase }) => phase);
  await waitFor(() => phases().every((phase) => phase === 'cancelled'));
  expect(asked).toBe(1);
  await engine.stop();
  journal.close();
});
