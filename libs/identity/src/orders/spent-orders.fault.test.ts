import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SpentOrders } from './spent-orders.ts';

const NOW = Date.UTC(2026, 0, 1);
const EXP = NOW / 1000 + 3600;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bl-'));
  file = join(folder, 'spent.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const claim = (id: string, change: object = {}) => ({
  id,
  orderId: 'o1',
  exp: EXP,
  iat: undefined,
  nowMs: NOW,
  ...change,
});

/** Claims and begins `j1`, says so, and waits to be killed. */
const CLAIMS = `
  const { SpentOrders } = await import(process.argv[1]);
  const spent = new SpentOrders(process.argv[2]);
  spent.claim({ id: 'j1', orderId: 'o1', exp: ${EXP}, iat: undefined, nowMs: ${NOW} });
  spent.begin('j1');
  console.log('begun');
  setInterval(() => {}, 60_000);
`;

describe('SpentOrders', () => {
  test('when a signature is used by a second order, it is refused; the same order finds how far it came', () => {
    const spent = new SpentOrders(file);
    expect(spent.claim(claim('j1'))).toBeUndefined();
    expect(() => spent.claim(claim('j1', { orderId: 'o2' }))).toThrow(/used by order o1/);
    expect(spent.claim(claim('j1'))).toMatchObject({ phase: 'claimed' });
    spent.begin('j1');
    expect(spent.claim(claim('j1'))).toMatchObject({ phase: 'begun' });
    spent.end('j1', '{"status":"succeeded"}');
    expect(spent.claim(claim('j1'))).toMatchObject({ phase: 'ended', outcome: '{"status":"succeeded"}' });
    spent.end('j1');
    expect(spent.claim(claim('j1'))).toMatchObject({ phase: 'ended', outcome: undefined });
    spent.close();
  });

  test('when the process is killed with SIGKILL, the next one still knows what was used', async () => {
    const module = new URL('./spent-orders.ts', import.meta.url).href;
    const child = spawn(
      process.execPath,
      ['--conditions=@bowline/source', '--input-type=module', '-e', CLAIMS, '--', module, file],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      await once(child.stdout, 'data');
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'exit');
    const spent = new SpentOrders(file);
    expect(spent.recovered).toBe(false);
    expect(() => spent.claim(claim('j1', { orderId: 'o2' }))).toThrow(/used by order o1/);
    expect(spent.claim(claim('j1'))).toMatchObject({ phase: 'begun' });
    spent.close();
  });

  test('when the table is full, nothing unexpired is forgotten; past ones go, and never come back', () => {
    const spent = new SpentOrders(file);
    spent.close();
    const database = new DatabaseSync(file);
    database.exec(`BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      INSERT INTO spent SELECT 'j' || i, 'o1', ${EXP} + i, 'ended', NULL FROM n; COMMIT`);
    database.close();
    const full = new SpentOrders(file);
    const next = claim('new', { exp: EXP + 99_999 });
    expect(() => full.claim(next)).toThrow(expect.objectContaining({ code: 'spent-orders-full' }));
    // A server's clock that runs ahead makes it forget; what it forgot is then refused by its age.
    expect(full.claim({ ...next, nowMs: (EXP + 500) * 1000 })).toBeUndefined();
    expect(() => full.claim(claim('j7', { orderId: 'o2', exp: EXP + 7 }))).toThrow(
      expect.objectContaining({ code: 'signature-expired' }),
    );
    expect(() => full.claim(claim('j501', { orderId: 'o2', exp: EXP + 501 }))).toThrow(/used by/);
    full.close();
  });

  test('when the file is damaged, it is set aside and only what was issued since is taken', () => {
    writeFileSync(file, 'this is no database, and longer than the header of one: '.repeat(100));
    const spent = new SpentOrders(file);
    expect(spent.recovered).toBe(true);
    expect(statSync(`${file}.damaged`).isFile()).toBe(true);
    for (const iat of [undefined, NOW / 1000])
      expect(() => spent.claim(claim('j1', { iat }))).toThrow(
        expect.objectContaining({ code: 'issued-before-loss' }),
      );
    expect(spent.claim(claim('j1', { iat: NOW / 1000 + 1 }))).toBeUndefined();
    spent.close();
    const again = new SpentOrders(file);
    expect(again.recovered).toBe(false);
    expect(() => again.claim(claim('j2', { iat: NOW / 1000, nowMs: NOW + 60_000 }))).toThrow(
      /lost its record/,
    );
    again.close();
  });

  test('when it is gone though there has been one, only what was issued since is taken', () => {
    new SpentOrders(file).close();
    rmSync(file);
    const spent = new SpentOrders(file, { expected: true });
    expect(spent.recovered).toBe(true);
    expect(() => spent.claim(claim('j1', { iat: NOW / 1000 }))).toThrow(
      expect.objectContaining({ code: 'issued-before-loss' }),
    );
    expect(spent.claim(claim('j2', { iat: NOW / 1000 + 1 }))).toBeUndefined();
    spent.close();
    const again = new SpentOrders(file, { expected: true });
    expect(again.recovered).toBe(false);
    again.close();
  });
});
