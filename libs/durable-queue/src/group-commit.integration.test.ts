import { join } from 'node:path';
import { Environment } from '@bowline/record-store';
import { expect, onTestFinished, test } from 'vitest';
import { GroupCommit } from './group-commit.ts';
import { diskFull, limitsOf } from './limits.ts';
import { prepareBatch } from './prepare-batch.ts';
import type { WriteBatch } from './queue.ts';
import { ReadMarks } from './read-marks.ts';
import { newState } from './state.ts';
import { message, temporaryFolder } from './testing/test-queue.ts';

test('when a full disk kept messages from expiring, they expire as soon as there is room again', async () => {
  const env = Environment.open(join(temporaryFolder(), 'store.mdb'));
  onTestFinished(() => env.close());
  const now = { bootId: 'one', monotonicMs: 0 };
  const state = newState(now);
  const limits = limitsOf({
    folder: '',
    wallMs: () => 0,
    lanes: { history: { messages: 10, bytes: 10_000, ageMs: 1000 } },
  });
  let full = false;
  const commits = new GroupCommit(
    {
      limits,
      marks: new ReadMarks(state),
      wallMs: () => 0,
      stored: () => env,
      clock: () => now,
      room: { admits: () => true },
      write: (writes) => (full ? Promise.reject(diskFull()) : env.commit(writes)),
      committed: () => undefined,
      between: () => undefined,
    },
    state,
  );
  const commit = (batch: WriteBatch) => commits.commit(prepareBatch(batch, limits, state.epoch));
  await commit({ enqueue: [{ lane: 'history', messages: [message()] }] });

  now.monotonicMs = 5000;
  full = true;
  await expect(commit({})).rejects.toMatchObject({ code: 'disk-full' });
  full = false;
  await commit({});
  expect(commits.state.lanes.history).toMatchObject({ expired: 1, messages: 0 });
});
