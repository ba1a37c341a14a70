import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Environment, type EnvironmentOptions } from './environment.ts';
import { temporaryFolder } from '@bowline/testing';

function openTest(options: EnvironmentOptions = {}): { env: Environment; file: string } {
  const file = join(temporaryFolder(), 'test.mdb');
  const env = Environment.open(file, options);
  onTestFinished(() => env.close());
  return { env, file };
}

const key = (n: number) => `k${String(n).padStart(6, '0')}`;
const records = (count: number, bytes: number) =>
  new Map(Array.from({ length: count }, (_, n) => [key(n), Buffer.alloc(bytes, n)]));

test('when a commit takes longer than its deadline, it fails as the end of the process, and closing does not wait', async () => {
  const { env } = openTest({ commitDeadlineMs: 1 });
  await expect(env.commit(records(200, 250_000))).rejects.toMatchObject({
    name: 'InternalError',
    code: 'commit-failed',
  });
  await env.close();
});

test('when records are read, they come in the order of their keys, upwards and downwards, within the bounds', async () => {
  const { env } = openTest();
  await env.commit(records(5, 100_000));
  await env.commit(new Map([[key(2), null]]));
  const [from, to] = [Buffer.from(key(1)), Buffer.from(key(4))];
  const upwards = [...env.range(from, to)];
  expect(upwards.map((entry) => String(entry.key))).toEqual([key(1), key(3)]);
  expect(upwards.map(({ record }) => [record.length, record[0], record.at(-1)])).toEqual([
    [100_000, 1, 1],
    [100_000, 3, 3],
  ]);
  expect([...env.rangeDown(to, from)].map((entry) => String(entry.key))).toEqual([key(4), key(3)]);
  expect(String(env.keyAtOrBelow(Buffer.from(key(2)), from))).toBe('undefined');
  expect(String(env.keyAtOrBelow(Buffer.from(key(3)), from))).toBe(key(3));
});

test('when a store is read and written for long, its file does not grow: no snapshot is held', async () => {
  const { env, file } = openTest();
  await env.commit(records(20, 50_000));
  let settled = 0;
  for (let round = 0; round < 300; round += 1) {
    await env.commit(new Map([[key(round % 20), Buffer.alloc(50_000, round)]]));
    const [first] = env.views(Buffer.from('k'), Buffer.from('l'));
    expect(first?.record.length).toBe(50_000);
    if (round === 100) settled = statSync(file).size;
  }
  expect(statSync(file).size).toBeLessThan(1.2 * settled);
});

test('when it is mapped anew, everything is there and can be written', async () => {
  const { env } = openTest();
  await env.commit(records(100, 10_000));
  for (let round = 0; round < 5; round += 1) {
    expect([...env.views(Buffer.from('k'), Buffer.from('l'))]).toHaveLength(100 + round);
    expect(env.touchedBytes).toBeGreaterThan(900_000);
    env.remap();
    expect(env.touchedBytes).toBe(0);
    await env.commit(new Map([[key(1000 + round), Buffer.alloc(10)]]));
  }
});
