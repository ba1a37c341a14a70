import { existsSync } from 'node:fs';
import { Environment, jsonOf, StoreFiles } from '@bowline/record-store';
import { acquireLock, InternalError, TransientError, type Lock } from '@bowline/runtime';
import type { ClockReading } from './age-clock.ts';
import { stateKey } from './keys.ts';
import { environmentOptions } from './limits.ts';
import { makeSound } from './make-sound.ts';
import { currentState } from './migrations.ts';
import type { DurableQueue, QueueOptions, Recovery } from './queue.ts';
import { newState, stateOnly, type StoreState } from './state.ts';
import { storeClock } from './store-clock.ts';
import { Store } from './store.ts';

/**
 * Opens the store, making it if there is none. One process at a time.
 *
 * @throws ConfigError `already-running`, `state-folder`, `store-newer` (written by a later version of this program);
 *   InternalError `store-check-failed`; TransientError `disk-full`: no room to make a new one.
 */
export async function openQueue(options: QueueOptions): Promise<DurableQueue> {
  const files = new StoreFiles(options.folder);
  const lock = acquireLock(files.lock);
  try {
    files.prepare();
    const clock = storeClock(options);
    const recovery = await makeSound(files, options, clock());
    if (!existsSync(files.current)) await createStore(files, clock());
    return await openSound(options, files, lock, recovery);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openSound(
  options: QueueOptions,
  files: StoreFiles,
  lock: Lock,
  recovery: Recovery | undefined,
): Promise<DurableQueue> {
  const env = Environment.open(files.current, environmentOptions(options));
  let state: StoreState;
  try {
    state = readState(env);
  } catch (error) {
    await env.close();
    throw error;
  }
  const store = new Store({ options, files, env, state, lock, recovery });
  try {
    await store.begin();
    await store.compact();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** A store exists from the moment at which it is complete. */
async function createStore(files: StoreFiles, now: ClockReading): Promise<void> {
  const env = Environment.open(files.next);
  try {
    await env.commit(stateOnly(newState(now)));
  } catch (cause) {
    throw new TransientError('disk-full', `a new store cannot be written to ${files.folder}`, { cause });
  } finally {
    await env.close();
  }
  files.promoteNext();
}

function readState(env: Environment): StoreState {
  const record = env.get(stateKey());
  const state = record === undefined ? undefined : jsonOf<StoreState>(stateKey(), record);
  if (state === undefined) throw new InternalError('store-damaged', 'the state of the store cannot be read');
  return currentState(state);
}
