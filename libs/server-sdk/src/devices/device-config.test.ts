import { expect, test } from 'vitest';
import { nextVersion, reported, running, wanted, withDrift } from './device-config.ts';

const want = (version: number) => wanted(undefined, { version, orderId: 'o', at: 1 });
const applied = (version: number, hash: string) =>
  reported(want(version), { version, status: 'applied', hash }, 2);

test('when a document is wanted and not in force yet, the device has drifted by version until it reports', () => {
  expect(withDrift(want(3)).drift).toBe('version');
  expect(withDrift(applied(3, 'a'))).toMatchObject({ version: 3, hash: 'a' });
  expect(withDrift(applied(3, 'a')).drift).toBeUndefined();
});

test('when a document was refused or rolled back, what is in force stays and the drift shows', () => {
  const before = wanted(applied(3, 'a'), { version: 4, orderId: 'p', at: 3 });
  for (const status of ['rejected', 'rolledBack'] as const) {
    const errors = [{ app: 'a', key: 'k', message: 'no' }];
    expect(withDrift(reported(before, { version: 4, status, hash: 'a', errors }, 4))).toMatchObject({
      version: 3,
      drift: 'version',
      report: { version: 4, status, errors },
    });
  }
});

test('when the right version is in force with another hash, something was changed on the device', () => {
  const now = running(applied(3, 'a'), { configVersion: 3, configHash: 'b' });
  expect(withDrift(now ?? {}).drift).toBe('local');
  expect(withDrift(running(now, { configVersion: 3, configHash: 'a' }) ?? {}).drift).toBeUndefined();
});

test('when only defaults of the software are others than at the report, the device is not said to have been changed', () => {
  const report = { version: 3, status: 'applied', hash: 'a', setHash: 's' } as const;
  const updated = (configSetHash: string) =>
    running(reported(want(3), report, 2), { configVersion: 3, configHash: 'b', configSetHash }) ?? {};
  expect(withDrift(updated('s')).drift).toBe('software');
  expect(withDrift(updated('other')).drift).toBe('local');
  // An agent that does not say what is set: nobody can tell the two apart.
  expect(withDrift(running(updated('s'), { configVersion: 3, configHash: 'b' }) ?? {}).drift).toBe('local');
  // The same document again: the report on it is what counts from now on.
  const again = reported(updated('s'), { ...report, hash: 'b' }, 5);
  expect(withDrift(again).drift).toBeUndefined();
});

test('when somebody went back by hand on the device, it shows as drift by version', () => {
  const back = reported(applied(3, 'a'), { version: 2, status: 'applied', hash: 'z' }, 5);
  expect(withDrift(back)).toMatchObject({ version: 2, drift: 'version' });
});

test('when a device says nothing of its configuration, what is known stays', () => {
  expect(running(applied(3, 'a'), {})).toEqual(applied(3, 'a'));
  expect(withDrift(running(undefined, { configHash: 'a' }) ?? {})).toEqual({ hash: 'a' });
});

test('when a new document is numbered, its number is above all that this device has had', () => {
  expect(nextVersion()).toBe(1);
  expect(nextVersion(reported(want(3), { version: 7, status: 'rejected' }, 1))).toBe(8);
  expect(nextVersion({ version: 9 })).toBe(10);
});
