import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALWAYS } from './testing/host.ts';
import { messages, NO_LIMIT, openTestQueue, temporaryFolder } from './testing/test-queue.ts';

/** A folder stands where the file must be made that syncs the store's folder: the system call fails until it is gone. */
function unsyncable(folder: string): { mend: () => void } {
  const inTheWay = join(folder, `.sync-${process.pid}`);
  mkdirSync(inTheWay);
  return { mend: () => rmdirSync(inTheWay) };
}

async function compactedUnsynced() {
  const folder = temporaryFolder();
  const queue = await openTestQueue({ folder });
  for (let n = 0; n < 20; n += 1) {
    await queue.commit({ enqueue: [{ lane: 'events', messages: messages(20, 'event') }] });
  }
  await queue.commit({ receipts: { events: 390 } });
  const inode = () => statSync(join(folder, 'store.mdb')).ino;
  const before = inode();
  const fault = unsyncable(folder);
  await queue.compact(ALWAYS);
  expect(inode()).not.toBe(before);
  return { folder, queue, fault };
}
const add = { enqueue: [{ lane: 'events' as const, messages: messages(1, 'event') }] };

describe('a store that was replaced by its smaller copy', () => {
  test('when the rename is made durable late, a commit that succeeds afterwards is in the file that has the name', async () => {
    const { folder, queue, fault } = await compactedUnsynced();
    fault.mend();
    await queue.commit(add);
    await queue.close();
    const again = await openTestQueue({ folder });
    expect(again.recovery).toBeUndefined();
    expect(again.lanes().events).toMatchObject({ first: 391, next: 402, messages: 11 });
  });

  test('when the rename cannot be made durable, no commit is called durable, and the process that is started next finds all that was', async () => {
    const { folder, queue, fault } = await compactedUnsynced();
    await expect(queue.commit(add)).rejects.toMatchObject({ name: 'InternalError', code: 'commit-failed' });
    await queue.close();
    fault.mend();
    const again = await openTestQueue({ folder });
    expect(again.read('events', 0, NO_LIMIT).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 10 }, (_, n) => 391 + n),
    );
  });
});

test('when an earlier process may have left a rename unsynced, the store is not written before it is', async () => {
  const folder = temporaryFolder();
  const queue = await openTestQueue({ folder });
  await queue.close();
  const fault = unsyncable(folder);
  await expect(openTestQueue({ folder })).rejects.toMatchObject({ code: 'commit-failed' });
  fault.mend();
  await (await openTestQueue({ folder })).commit(add);
});
