import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Environment, jsonOf } from '@bowline/record-store';
import { describe, expect, it } from 'vitest';
import { stateKey } from './keys.ts';
import { LANES } from './lanes.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { stateOnly, type StoreState } from './state.ts';
import { ledgerHolds, messages, NO_LIMIT, openTestQueue, temporaryFolder } from './testing/test-queue.ts';

/** Written by the program of commit b1ece0a~1, which did not keep `offered`; zipped. */
const VERSION_1 = new URL('testing/fixtures/version-1.mdb.gz', import.meta.url);
const EPOCH = '03f5b79e-fd8b-4c9b-8f67-ff5755eab520';
const DYING = new URL('testing/migrate-and-die.ts', import.meta.url).pathname;

function olderStore(): string {
  const folder = join(temporaryFolder(), 'queue');
  mkdirSync(folder);
  writeFileSync(join(folder, 'store.mdb'), gunzipSync(readFileSync(VERSION_1)));
  return folder;
}

async function storedState(folder: string): Promise<StoreState> {
  const env = Environment.open(join(folder, 'store.mdb'), { readOnly: true });
  const state = jsonOf<StoreState>(stateKey(), env.get(stateKey()) ?? Buffer.alloc(0));
  await env.close();
  if (state === undefined) throw new Error('no state');
  return state;
}

/** All that it held is there, and it can be written. */
async function expectMigrated(folder: string): Promise<void> {
  const queue = await openTestQueue({ folder });
  expect(queue.epoch).toBe(EPOCH);
  expect(queue.recovery).toBeUndefined();
  expect(LANES.map((lane) => queue.lanes()[lane])).toMatchObject([
    { first: 1, next: 7, messages: 6, offered: 6 },
    { first: 1, next: 8, messages: 6, offered: 7 },
    { first: 4, next: 7, messages: 3, offered: 6 },
    { first: 2, next: 7, messages: 5, offered: 6 },
  ]);
  expect(queue.read('results', 0, NO_LIMIT).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(queue.unfinishedOrders()).toMatchObject([{ seq: 1, status: 'received' }]);
  expect(queue.meta('colour')).toBe('green');
  expect(queue.deadLetters(9)).toHaveLength(1);
  expect(ledgerHolds(queue)).toBe(true);
  await queue.commit({ enqueue: [{ lane: 'events', messages: messages(1) }] });
  await queue.close();
  expect(await storedState(folder)).toMatchObject({ schema: SCHEMA_VERSION });
}

describe('a store of version 1', () => {
  it('when it is opened, everything in it is there, and it is of this version from then on', async () => {
    const folder = olderStore();
    expect((await storedState(folder)).schema).toBe(1);
    await expectMigrated(folder);
  });

  it.each([
    ['before', 0],
    ['during', 0],
    ['during', 300],
    ['after', 0],
  ])(
    'when the process is killed %s the commit that migrates it (%i µs), the next start does what is left',
    async (moment, delayUs) => {
      const folder = olderStore();
      const child = spawn(process.execPath, [DYING, folder, moment, String(delayUs)], { stdio: 'ignore' });
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      expect(signal).toBe('SIGKILL');
      const { schema } = await storedState(folder);
      expect(schema, moment).toBeOneOf(
        moment === 'before' ? [1] : moment === 'after' ? [SCHEMA_VERSION] : [1, SCHEMA_VERSION],
      );
      await expectMigrated(folder);
    },
  );

  it('when it is damaged as well, it is mended in its new form', async () => {
    const folder = olderStore();
    const file = join(folder, 'store.mdb');
    const content = readFileSync(file);
    // The payload of one message, in every place where it lies.
    for (let at = content.indexOf('{"n":0}'); at >= 0; at = content.indexOf('{"n":0}', at + 1))
      content[at] = 0x58;
    writeFileSync(file, content);
    const queue = await openTestQueue({ folder });
    expect(queue).toMatchObject({ epoch: EPOCH, recovery: { kind: 'mended' } });
    expect(LANES.map((lane) => typeof queue.lanes()[lane].offered)).toEqual(LANES.map(() => 'number'));
    expect(ledgerHolds(queue)).toBe(true);
  });
});

describe('a store of a later version', () => {
  it('when its tree cannot be read, it is refused all the same and left alone', async () => {
    const folder = olderStore();
    const file = join(folder, 'store.mdb');
    const env = Environment.open(file);
    await env.commit(stateOnly({ ...(await storedState(folder)), schema: 99, commit: 1000 }));
    await env.close();
    const content = readFileSync(file);
    content.fill(0, 24, 200); // the first of the two pages that hold the root
    writeFileSync(file, content);
    await expect(openTestQueue({ folder })).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'store-newer',
    });
    expect(readFileSync(file).equals(content)).toBe(true);
  });
});
