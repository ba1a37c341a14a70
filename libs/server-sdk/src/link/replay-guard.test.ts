import { FakeClock } from '@bowline/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { keys } from '../store/keys.ts';
import { within, type ServerStore } from '../store/server-store.ts';
import { memoryStore } from '../store/memory-store.ts';
import { ReplayGuard } from './replay-guard.ts';

let clock: FakeClock;
let store: ServerStore;
let guard: ReplayGuard;
beforeEach(() => {
  clock = new FakeClock();
  store = memoryStore();
  guard = new ReplayGuard(store, clock);
});
const expiry = () => clock.wallMs() / 1000 + 60;

describe('a link token', () => {
  it('when many come with it at once, one is let in', async () => {
    const exp = expiry();
    const spent = await Promise.all(Array.from({ length: 20 }, () => guard.spend('d1', 'once', exp)));
    expect(spent.filter(Boolean)).toHaveLength(1);
  });

  it('when another device uses the same jti, that is another token', async () => {
    expect(await guard.spend('d1', 'x', expiry())).toBe(true);
    expect(await guard.spend('d2', 'x', expiry())).toBe(true);
  });

  it('when the server starts anew on its store, a token from before is still spent', async () => {
    const exp = expiry();
    await guard.spend('d1', 'x', exp);
    expect(await new ReplayGuard(store, clock).spend('d1', 'x', exp)).toBe(false);
  });

  it('when it expired less than 60 s ago it is remembered, and after that it takes no room', async () => {
    const exp = expiry();
    await guard.spend('d1', 'x', exp);
    await clock.advance(60_000 + 60_000);
    await guard.sweep();
    expect(await guard.spend('d1', 'x', exp)).toBe(false);
    await clock.advance(1);
    await guard.sweep();
    expect(store.range(within(keys.usedTokens))).toEqual([]);
  });
});
