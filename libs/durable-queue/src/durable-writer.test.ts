import type { Writes } from '@bowline/record-store';
import { describe, expect, test } from 'vitest';
import { DurableWriter } from './durable-writer.ts';
import { newState, stateOnly } from './state.ts';

const state = newState({ bootId: 'one', monotonicMs: 0 });
const writes = stateOnly({ ...state, commit: 1 });

const SETTLED = { settle: () => undefined };

/** A disk on which each commit goes as the list says; the state that it holds never changes. */
function disk(outcomes: ('ok' | number)[], { full = true } = {}) {
  const written: Writes[] = [];
  const env = {
    get: () => stateOnly(state).values().next().value ?? undefined,
    commit: async (writes: Writes) => {
      const outcome = outcomes.shift() ?? 'ok';
      if (outcome !== 'ok') throw Object.assign(new Error('I/O error'), { code: outcome });
      written.push(writes);
    },
  };
  let released = 0;
  const room = { isFull: () => full, wrote: () => undefined, release: () => void (released += 1) };
  return { writer: new DurableWriter(() => env, room, SETTLED), written, released: () => released };
}

describe('a transaction', () => {
  test('when the disk fails without being full, the process must end', async () => {
    const { writer } = disk([5], { full: false });
    await expect(writer.write(writes, state)).rejects.toMatchObject({
      name: 'InternalError',
      code: 'commit-failed',
    });
  });

  test('when LMDB cannot even be read after a failed write, the process must end', async () => {
    const broken = Object.assign(new Error('MDB_PANIC'), { code: 22 });
    const io = Object.assign(new Error('I/O error'), { code: 5 });
    const env = {
      get: (): never => {
        throw broken;
      },
      commit: () => Promise.reject(io),
    };
    const room = { isFull: () => true, wrote: () => undefined, release: () => undefined };
    await expect(new DurableWriter(() => env, room, SETTLED).write(writes, state)).rejects.toMatchObject({
      name: 'InternalError',
      code: 'commit-failed',
    });
  });

  test('when the disk is full, a small transaction goes through before the next is tried', async () => {
    const { writer, written, released } = disk([5]);
    await expect(writer.write(writes, state)).rejects.toMatchObject({
      name: 'RejectedError',
      code: 'disk-full',
    });
    expect(written).toEqual([stateOnly(state)]);
    expect(released()).toBe(0);
    await writer.write(writes, state);
    expect(written).toEqual([stateOnly(state), writes]);
  });

  test('when not even a small one fits, the ballast is given up for it', async () => {
    const { writer, written, released } = disk([28, 28]);
    await expect(writer.write(writes, state)).rejects.toMatchObject({ code: 'disk-full' });
    expect(released()).toBe(1);
    expect(written).toEqual([stateOnly(state)]);
  });

  test('when nothing at all fits, it says so each time until there is room, and goes on by itself', async () => {
    const { writer, written } = disk([28, 28, 28, 28, 28]);
    for (let n = 0; n < 2; n += 1) {
      await expect(writer.write(writes, state)).rejects.toMatchObject({ code: 'disk-full' });
    }
    expect(written).toEqual([]);
    await writer.write(writes, state);
    expect(written).toEqual([stateOnly(state), writes]);
  });

  test('when a failed commit has changed what is stored, nothing can be promised any more', async () => {
    const { writer } = disk([5]);
    await expect(writer.write(writes, { ...state, commit: 9 })).rejects.toMatchObject({
      name: 'InternalError',
    });
  });
});
