import { FakeClock } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { GroupCommitStore } from './group-commit-store.ts';
import { MemoryBackend, memoryStore } from './memory-store.ts';
import { serverStoreContract } from './server-store.contract.ts';

serverStoreContract('memory', () => memoryStore());

const write = (key: string) => [{ key, value: Buffer.from(key) }];

describe('group commit', () => {
  it('when a flush is under way, everything that comes meanwhile is one more flush', async () => {
    const backend = new MemoryBackend();
    let flushes = 0;
    const gate = Promise.withResolvers<void>();
    backend.beforeFlush = () => {
      flushes += 1;
      return flushes === 1 ? gate.promise : Promise.resolve();
    };
    const store = new GroupCommitStore(backend);
    const first = store.write(write('a'));
    await new Promise((resolve) => setImmediate(resolve));
    const later = Array.from({ length: 50 }, (_, n) => store.write(write(`b${n}`)));
    gate.resolve();
    await Promise.all([first, ...later]);
    expect(flushes).toBe(2);
  });

  it('when the disk fails, everybody who waits is told and nothing more is taken', async () => {
    const backend = new MemoryBackend();
    backend.beforeFlush = () => Promise.reject(new Error('EIO'));
    const store = new GroupCommitStore(backend);
    const failed = { code: 'store-failed' };
    await Promise.all([
      expect(store.write(write('a'))).rejects.toMatchObject(failed),
      expect(store.write(write('b'))).rejects.toMatchObject(failed),
    ]);
    await expect(store.write(write('c'))).rejects.toMatchObject(failed);
  });

  it('when a commit never ends, the deadline ends it', async () => {
    const backend = new MemoryBackend();
    backend.beforeFlush = () => new Promise(() => {});
    const clock = new FakeClock();
    const store = new GroupCommitStore(backend, { clock, commitDeadlineMs: 5000 });
    const [outcome] = await Promise.all([
      store.write(write('a')).catch((error: unknown) => error),
      clock.advance(5000),
    ]);
    expect(outcome).toMatchObject({ code: 'store-failed' });
  });
});
