import { FakeClock } from '@bowline/testing';
import { beforeEach, expect, test } from 'vitest';
import { RefusedGrants } from './refused-grants.ts';

const EVERY_MS = 600_000;

let clock: FakeClock;
let entries: { kind: string; data: Record<string, unknown> }[];
let refused: RefusedGrants;
beforeEach(() => {
  clock = new FakeClock();
  entries = [];
  const audit = { note: (kind: string, data: Record<string, unknown>) => void entries.push({ kind, data }) };
  refused = new RefusedGrants(audit, clock, () => ({ burst: 2, everyMs: EVERY_MS }));
});
const refuse = (orderId: string, code = 'replayed', said: Record<string, unknown> = {}) =>
  refused.note({ code, message: 'not this one' }, { orderId, signer: undefined, said });
const kinds = () => entries.map(({ kind }) => kind);

test('when few are refused, each has an entry with what the grant says, cut to what an entry may hold', () => {
  refuse('o1', 'wrong-role', { user: 'root', by: 'x'.repeat(10_000), jti: 'j', sessionId: 7 });
  expect(entries).toEqual([
    {
      kind: 'ssh.refused',
      data: { orderId: 'o1', code: 'wrong-role', why: 'not this one', user: 'root', by: 'x'.repeat(200) },
    },
  ]);
});

test('when a flood is refused, there is an entry now and then with the number of all that came since', async () => {
  for (let day = 0; day < 144; day += 1) {
    for (let each = 0; each < 100; each += 1)
      refuse(`o${day}-${each}`, each % 2 === 0 ? 'replayed' : 'bad-signature');
    await clock.advance(EVERY_MS);
  }
  expect(entries).toHaveLength(2 + 144);
  expect(entries[2]).toEqual({
    kind: 'ssh.refused-more',
    data: { count: 98, codes: 'replayed 49, bad-signature 49', firstOrderId: 'o0-2', lastOrderId: 'o0-99' },
  });
  const more = entries.slice(2).map(({ data }) => Number(data['count']));
  expect(2 + more.reduce((sum, count) => sum + count, 0)).toBe(14_400);
});

test('when the flood is over, the next that is refused has an entry of its own again', async () => {
  for (const id of ['o1', 'o2', 'o3']) refuse(id);
  await clock.advance(EVERY_MS);
  refuse('o4');
  await clock.advance(3 * EVERY_MS);
  refuse('o5');
  expect(kinds()).toEqual([
    'ssh.refused',
    'ssh.refused',
    'ssh.refused-more',
    'ssh.refused-more',
    'ssh.refused',
  ]);
  expect(clock.pendingTimers).toBe(0);
});

test('when the broker stops, what was only counted is written', () => {
  for (const id of ['o1', 'o2', 'o3']) refuse(id);
  refused.flush();
  expect(entries.at(-1)?.data).toMatchObject({ count: 1, firstOrderId: 'o3' });
  expect(clock.pendingTimers).toBe(0);
  refused.flush();
  expect(entries).toHaveLength(3);
});
