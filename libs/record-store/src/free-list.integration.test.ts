import { closeSync, copyFileSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { Environment } from './environment.ts';
import { freeListIsSound } from './free-list.ts';
import { readRoots } from './meta-pages.ts';

const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);

function look<T>(file: string, see: (handle: number) => T): T {
  const handle = openSync(file, 'r+');
  try {
    return see(handle);
  } finally {
    fsyncSync(handle);
    closeSync(handle);
  }
}

test(`when a store is written to and deleted from at random, its pages add up after each close (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const file = join(temporaryFolder(), 'store.mdb');
  for (let life = 0; life < 8; life += 1) {
    const env = Environment.open(file);
    for (let commit = 0; commit < 60; commit += 1) {
      const writes = Array.from({ length: random.integer(1, 40) }, () => {
        const key = `k${random.integer(0, 600)}`;
        const bytes = random.next() < 0.2 ? random.integer(4000, 60_000) : random.integer(0, 900);
        return [key, random.next() < 0.4 ? null : Buffer.alloc(bytes, 7)] as const;
      });
      await env.commit(new Map(writes));
    }
    await env.close();
    expect(look(file, freeListIsSound)).toBe(true);
    if (life !== 4) continue;
    // As after a compaction or an upgrade: a whole copy.
    const copy = Environment.open(file, { readOnly: true });
    await copy.copyTo(`${file}-copy`);
    await copy.close();
    copyFileSync(`${file}-copy`, file);
  }
});

test(`when a bit of the list of free pages turns, that is seen (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const file = join(temporaryFolder(), 'store.mdb');
  const env = Environment.open(file);
  for (let commit = 0; commit < 40; commit += 1) {
    const keys = Array.from({ length: 30 }, () => `k${random.integer(0, 300)}`);
    await env.commit(new Map(keys.map((key) => [key, random.next() < 0.3 ? null : Buffer.alloc(500)])));
  }
  await env.close();
  const { pageSize = 0, freeRoot = 0 } = look(file, readRoots) ?? {};
  const page = readFileSync(file).subarray(freeRoot * pageSize, (freeRoot + 1) * pageSize);
  const used = page.readUInt16LE(22) + 24; // from here on the page holds the list
  let seen = 0;
  const turns = 200;
  for (let turn = 0; turn < turns; turn += 1) {
    const at = random.integer(used, pageSize - 1);
    const turned = Buffer.of((page[at] ?? 0) ^ (1 << random.integer(0, 7)));
    look(file, (handle) => writeSync(handle, turned, 0, 1, freeRoot * pageSize + at));
    seen += Number(!look(file, freeListIsSound));
    look(file, (handle) => writeSync(handle, page, at, 1, freeRoot * pageSize + at));
  }
  // Not seen: a count that became smaller, a transaction number, one free page for another that was lost.
  expect(seen).toBeGreaterThan(turns * 0.6);
  expect(look(file, freeListIsSound)).toBe(true);
});
