import { describe, expect, test } from 'vitest';
import { Ledger } from './ledger.ts';
import { transition, type UpdateRecord, type UpdateState } from './update-state.ts';

const plan = {
  name: 'kiosk',
  version: '1.0.0',
  kind: 'app',
  digest: 'd1',
  files: 1,
  totalBytes: 1,
  fetchBytes: 1,
  reusedBytes: 0,
  diskBytes: 1,
  inodes: 1,
};
const order = { aud: 'd', jti: 'j', exp: 1, channel: 'stable' };
const failure = { code: 'probe-failed', message: 'it says no', deny: true };
const previous = { digest: 'd0', online: true };
let orders = 0;
const way = (orderId: string, ...records: Partial<UpdateRecord>[]) =>
  [{ type: 'accepted', order, eventId: 'e' }, ...records].map(
    (record) => ({ orderId, at: 1, ...record }) as UpdateRecord,
  );
const TO_TRIAL: Partial<UpdateRecord>[] = [
  { type: 'fetching', plan },
  { type: 'verified' },
  { type: 'staging' },
  { type: 'staged' },
  { type: 'switching', previous },
  { type: 'trial', trial: 1, bootId: 'b' },
];
const after = (...records: Partial<UpdateRecord>[]) =>
  way('o', ...records).reduce<UpdateState | undefined>(
    (state, record) => transition(state, record),
    undefined,
  );

describe('transition', () => {
  test('when everything goes well, the end is committed and what was planned is still known', () => {
    const end = after(...TO_TRIAL, { type: 'committing' }, { type: 'committed' });
    expect(end).toMatchObject({ phase: 'committed', plan, changed: true, told: false, acceptedAt: 1 });
    expect(after({ type: 'committed', plan })).toMatchObject({ phase: 'committed', changed: false });
  });

  test('when a trial fails, the way back keeps why and what stood there', () => {
    const back: Partial<UpdateRecord>[] = [{ type: 'rolling-back', failure }, { type: 'rolled-back' }];
    expect(after(...TO_TRIAL, ...back)).toMatchObject({ phase: 'rolled-back', failure, previous });
  });

  test('when it is committed, nothing leads back, nor anywhere else but to told', () => {
    const committed = [...TO_TRIAL, { type: 'committing' }, { type: 'committed' }] as Partial<UpdateRecord>[];
    const types = [
      'rolling-back',
      'failed',
      'cancelled',
      'switching',
      'trial',
      'fetching',
      'deferred',
    ] as const;
    for (const type of types)
      expect(() => after(...committed, { type } as Partial<UpdateRecord>)).toThrow('cannot follow committed');
    expect(after(...committed, { type: 'told' })).toMatchObject({ told: true });
  });

  test('when it has begun to switch, it can neither be cancelled nor fail without a roll back', () => {
    for (const type of ['cancelled', 'failed'] as const)
      expect(() => after(...TO_TRIAL, { type, failure } as Partial<UpdateRecord>)).toThrow(
        'cannot follow trial',
      );
  });
});

describe('Ledger', () => {
  const higher = (a?: string, b?: string) => (a === undefined || (b !== undefined && b > a) ? b : a);
  const ledgerOf = (...ways: UpdateRecord[][]) => {
    const ledger = new Ledger(higher);
    for (const record of ways.flat()) ledger.apply(record);
    return ledger;
  };
  const committed = (version: string, minSecureVersion?: string) => {
    const own = { ...plan, version, digest: version, ...(minSecureVersion ? { minSecureVersion } : {}) };
    const [, ...rest] = TO_TRIAL;
    orders += 1;
    const records: Partial<UpdateRecord>[] = [{ type: 'fetching', plan: own }, ...rest];
    return way(`o${orders}`, ...records, { type: 'committing' }, { type: 'committed' });
  };

  test('when releases are committed, the last is installed, and the least secure version never falls', () => {
    const ledger = ledgerOf(committed('2.0.0', '1.5.0'), committed('3.0.0', '1.0.0'), committed('4.0.0'));
    expect(ledger.installed('kiosk')).toMatchObject({ version: '4.0.0', minSecureVersion: '1.5.0' });
  });

  test('when a release has failed by its own fault, it is denied until a person allows it', () => {
    const back: Partial<UpdateRecord>[] = [{ type: 'rolling-back', failure }, { type: 'rolled-back' }];
    const ledger = ledgerOf(way('x', ...TO_TRIAL, ...back));
    expect(ledger.denied('d1')).toMatchObject({ code: 'probe-failed', version: '1.0.0' });
    ledger.apply({ type: 'allowed', digest: 'd1', at: 2 });
    expect(ledger.denied('d1')).toBeUndefined();
    const innocent = { ...failure, deny: false };
    const [, end] = back as [unknown, Partial<UpdateRecord>];
    const calm = ledgerOf(way('y', ...TO_TRIAL, { type: 'rolling-back', failure: innocent }, end));
    expect(calm.denied('d1')).toBeUndefined();
  });

  test('when many updates have ended, the old ones are forgotten once they are told, and no other', () => {
    const ledger = new Ledger(higher);
    const last = Array.from({ length: 80 }, () => committed('1.0.0'));
    for (const [index, records] of last.entries()) {
      for (const record of records) ledger.apply(record);
      if (index !== 0) ledger.apply({ type: 'told', orderId: records[0]!.orderId, at: 1 });
    }
    expect(ledger.updates().length).toBeLessThan(60);
    expect(ledger.untold().map(({ orderId }) => orderId)).toEqual([last[0]![0]!.orderId]);
  });

  test('when it is written as one record and read again, it is the same', () => {
    const ledger = ledgerOf(committed('2.0.0', '1.5.0'), way('z', ...TO_TRIAL));
    const again = new Ledger(higher);
    again.apply({ type: 'ledger', ledger: structuredClone(ledger.image()), at: 1 });
    expect(again.image()).toEqual(ledger.image());
    expect(again.switching()).toMatchObject({ orderId: 'z', phase: 'trial' });
  });
});
