import { join } from 'node:path';
import { createLogger, systemClock } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import { temporaryFolder, waitFor } from '@bowline/testing';
import { afterEach, expect, test } from 'vitest';
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

let journal: FullJournal;
let engine: UpdateEngine;
afterEach(() => engine.stop());
afterEach(() => journal.close());

/** @param resolve of the source; by default it never ends by itself. */
function open(
  resolve: () => Promise<never> | undefined = () => undefined,
  report: EnginePorts['report'] = async () => {},
) {
  const file = join(temporaryFolder(), 'updates.journal');
  journal = new FullJournal({ file, higher: (a) => a, log, nowMs: Date.now });
  const asked: (string | undefined)[] = [];
  let changes = 0;
  const source = {
    resolve: ({ version }: { version?: string }, until: AbortSignal) => {
      asked.push(version);
      return (
        resolve() ??
        new Promise((_resolve, reject) =>
          until.addEventListener('abort', () => reject(until.reason as Error)),
        )
      );
    },
  };
  engine = new UpdateEngine({
    journal,
    clock: systemClock,
    log,
    random: () => 0,
    newId: () => 'e1',
    bootId: 'b1',
    limits: { maxWaiting: 4 },
    sourceOf: () => source,
    isInRollout: () => true,
    circumstances: async () => ({ nowMs: 0, holds: [], maxDeferMs: 0 }),
    isOnline: () => true,
    report,
    tell: async () => {},
    progress: () => {},
    changed: () => {
      changes += 1;
    },
  } as unknown as EnginePorts);
  return { asked, changes: () => changes };
}
const phases = () => journal.ledger.updates().map(({ phase }) => phase);

test('when the disk has no room for a cancel that was taken, the update is cancelled once it has', async () => {
  const { asked } = open();
  engine.start();
  for (const id of ['first', 'second']) engine.take(id, CLAIMS);
  await waitFor(() => asked.length === 1);
  journal.isFull = true;
  expect([engine.cancel('first'), engine.cancel('second')]).toEqual(['stopping', 'stopping']);
  await waitFor(() => journal.refused >= 2);
  journal.isFull = false;
  await waitFor(() => phases().every((phase) => phase === 'cancelled'));
  expect(asked).toHaveLength(1);
});

test('when an update that waits is cancelled while another is under way, it ends at once', async () => {
  const answers = [() => Promise.reject(new TransientError('fetch-failed', 'away'))];
  const { asked } = open(() => answers.shift()?.());
  engine.start();
  engine.take('waits', CLAIMS);
  await waitFor(() => phases()[0] === 'deferred');
  engine.take('under way', { ...CLAIMS, version: '2.0.0' });
  await waitFor(() => asked.includes('2.0.0'));
  engine.cancel('waits');
  expect(phases()).toEqual(['cancelled', 'accepted']);
});

test('when the gateway is away, an update begins, shows and can be cancelled; what became of it is told in its order', async () => {
  const told: string[] = [];
  let back = () => {};
  const away = new Promise<void>((resolve) => (back = resolve));
  const { asked, changes } = open(undefined, async ({ status }) => {
    await away;
    told.push(status);
  });
  engine.start();
  engine.take('brought', CLAIMS, '/stick');
  expect(changes()).toBe(1);
  await waitFor(() => asked.length === 1);
  expect(engine.cancel('brought')).toBe('stopping');
  await waitFor(() => phases()[0] === 'cancelled');
  back();
  await waitFor(() => told.length === 2);
  expect(told).toEqual(['started', 'cancelled']);
});
