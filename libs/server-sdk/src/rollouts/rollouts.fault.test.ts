import { isInRollout } from '@bowline/identity';
import type { Hello } from '@bowline/messages';
import { waitFor } from '@bowline/testing';
import { expect, test, vi } from 'vitest';
import { FakeServer } from '../testing/fake-link.ts';
import { Rollouts } from './rollouts.ts';

const AIM = { rolloutId: 'spring', group: 'pumps', channel: 'stable', name: 'pump', version: '1.4.0' };
const BY = { by: 'ann', maxFailedPercent: 5 };
const hello = { agentVersion: '1', queue: { messages: 0, bytes: 0 } } as Hello;
const names = Array.from({ length: 600 }, (_, index) => `device-${index}`);
const chosen = (percent: number) => names.filter((name) => isInRollout({ percent, salt: 'spring' }, name));

async function fleet() {
  const { services, clock } = await FakeServer.start();
  const { devices, status, orders } = services;
  const publicKey = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } as const;
  const head = { publicKey, enrolledAt: 0 };
  for (const name of names)
    await devices.put({ deviceId: name, name, groups: ['pumps'], thumbprint: name, ...head });
  const open = async () => {
    const rollouts = new Rollouts(services);
    await rollouts.start();
    return rollouts;
  };
  const stage = (percent: number, jti: string) => ({
    order: `x.${jti}.x`,
    jti,
    percent,
    signedUntil: clock.wallMs() + 3_600_000,
  });
  /** Devices that were given an update, and those whose update was called off. */
  const given = () => names.filter((name) => updates(name).length > 0);
  const updates = (name: string) => orders.list(name, 10).filter(({ type }) => type === 'softwareUpdate');
  const cancels = (name: string) => orders.list(name, 10).filter(({ type }) => type === 'cancel');
  const end = (name: string, how: 'succeeded' | 'failed' | 'cancelled', code = 'probe-failed') => {
    const [order] = updates(name);
    if (order === undefined) throw new Error(`${name} was given nothing`);
    const error = how === 'failed' ? { error: { code, message: 'why' } } : {};
    orders.ack(name, { orderId: order.orderId, status: how, attempt: 1, at: 1, ...error });
  };
  return { services, clock, status, open, stage, given, updates, cancels, end };
}

test('when a share of the group is meant, its devices that are connected are given it, those that are away once they come', async () => {
  const { status, open, stage, given } = await fleet();
  const few = chosen(10);
  const [away, ...here] = few;
  for (const name of names) if (name !== away) status.wentOnline(name, hello);
  const rollouts = await open();
  expect(await rollouts.begin(AIM, stage(10, 'a'), BY)).toMatchObject({
    status: 'running',
    groupDevices: names.length,
    devices: few.length,
  });
  await waitFor(() => given().length === here.length);
  expect(given()).toEqual(here);
  status.wentOnline(away ?? '', hello);
  await waitFor(() => given().length === few.length);
  // Again online: it had it.
  status.wentOnline(away ?? '', hello);
  await rollouts.goOn(AIM, stage(30, 'b'));
  await waitFor(() => given().length === chosen(30).length);
  expect(rollouts.get('spring')).toMatchObject({ percent: 30, given: chosen(30).length });
});

test('when it is paused, those that have it are called off, and nobody gets it until it is signed anew', async () => {
  const { status, open, stage, given, updates, cancels, end } = await fleet();
  const [away, first, second, third] = chosen(10);
  if (away === undefined || first === undefined || second === undefined || third === undefined)
    throw new Error();
  for (const name of [first, second, third]) status.wentOnline(name, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  await waitFor(() => given().length === 3);
  end(first, 'succeeded');
  expect(await rollouts.halt('spring', 'paused', 'by ann')).toMatchObject({
    status: 'paused',
    why: 'by ann',
  });
  await waitFor(() => cancels(second).length === 1 && cancels(third).length === 1);
  expect(cancels(first)).toEqual([]);
  expect(cancels(second)[0]?.payload).toEqual({ orderId: updates(second)[0]?.orderId });
  end(second, 'cancelled');
  status.wentOnline(away, hello);
  await new Promise(setImmediate);
  expect(given()).not.toContain(away);

  // The one that had not answered the cancel yet answers after it went on.
  await rollouts.goOn(AIM, stage(10, 'b'));
  await waitFor(() => updates(second).length === 2 && updates(away).length === 1);
  end(third, 'cancelled');
  await waitFor(() => updates(third).length === 2);
  expect(updates(second).map(({ payload }) => payload['order'])).toEqual(['x.b.x', 'x.a.x']);
  expect(updates(first)).toHaveLength(1);

  await rollouts.halt('spring', 'stopped', 'by ann');
  await expect(rollouts.goOn(AIM, stage(10, 'c'))).rejects.toMatchObject({ code: 'rollout-stopped' });
});

test('when more devices fail than may, it pauses by itself with what failed, and calls off the rest', async () => {
  const { status, open, stage, given, cancels, end } = await fleet();
  for (const name of names) status.wentOnline(name, hello);
  const rollouts = await open();
  const { devices } = await rollouts.begin(AIM, stage(10, 'a'), BY);
  await waitFor(() => given().length === devices);
  const may = Math.floor(devices * 0.05);
  const [last, ...before] = given()
    .slice(0, may + 1)
    .toReversed();
  for (const name of before) end(name, 'failed');
  expect(rollouts.get('spring').status).toBe('running');
  end(last ?? '', 'failed', 'boot-loop');
  const { status: now, why, onDevices } = rollouts.get('spring');
  expect(now).toBe('paused');
  expect(why).toBe(`${may + 1} of ${devices} devices failed: probe-failed ${may}, boot-loop 1`);
  expect(onDevices.map(({ code }) => code).toSorted()).toContain('boot-loop');
  await waitFor(() => given().filter((name) => cancels(name).length === 1).length === devices - may - 1);
});

test('when what was given before it was widened fails, it pauses; a device that says nothing against the release gets it anew', async () => {
  const { status, open, stage, given, updates, end } = await fleet();
  const few = chosen(10);
  for (const name of few) status.wentOnline(name, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  await waitFor(() => given().length === few.length);
  const [cutOff, ...rest] = few;
  await rollouts.goOn(AIM, stage(30, 'b'));
  end(cutOff ?? '', 'failed', 'inconclusive');
  await waitFor(() => updates(cutOff ?? '').length === 2);
  expect(rollouts.get('spring')).toMatchObject({ status: 'running', failed: 0 });
  for (const name of rest) end(name, 'failed');
  expect(rollouts.get('spring')).toMatchObject({
    status: 'paused',
    why: expect.stringContaining('probe-failed'),
  });
  expect(rollouts.get('spring')).not.toHaveProperty('wentOnAt');
});

test('when devices failed while no server ran, it pauses as soon as one does', async () => {
  const { services, status, open, stage, given, end } = await fleet();
  const few = chosen(10);
  for (const name of few) status.wentOnline(name, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  await waitFor(() => given().length === few.length);
  rollouts.stop();
  for (const name of few) end(name, 'failed');
  const next = new Rollouts(services);
  await next.start();
  expect(next.get('spring')).toMatchObject({ status: 'paused', failed: few.length });
});

test('when the server dies within a pause, its next life calls off the rest and counts the same', async () => {
  const { services, status, open, stage, given, cancels, end } = await fleet();
  const [first, second] = chosen(10);
  if (first === undefined || second === undefined) throw new Error();
  status.wentOnline(first, hello);
  status.wentOnline(second, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  await waitFor(() => given().length === 2);
  end(first, 'failed', 'verify-failed');
  rollouts.stop();
  await rollouts.halt('spring', 'paused', 'by ann');
  expect(cancels(second)).toEqual([]);

  const next = new Rollouts(services);
  await next.start();
  expect(next.get('spring')).toMatchObject({
    status: 'paused',
    given: 1,
    failed: 1,
    failures: { 'verify-failed': 1 },
  });
  await waitFor(() => cancels(second).length === 1);
  end(second, 'cancelled');
  expect(next.get('spring')).toMatchObject({ given: 0, recalled: 1 });
  // Once is enough.
  const third = new Rollouts(services);
  await third.start();
  expect(cancels(second)).toHaveLength(1);
});

test('when its signature has expired, nobody is given it any more', async () => {
  const { clock, status, open, stage, given } = await fleet();
  const [first, second] = chosen(10);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  status.wentOnline(first ?? '', hello);
  await waitFor(() => given().length === 1);
  await clock.advance(3_600_001);
  status.wentOnline(second ?? '', hello);
  await new Promise(setImmediate);
  expect(given()).toEqual([first]);
});

test('when no device is in the group, it is refused with the groups that there are, unless devices are to join it: then each is given it that does', async () => {
  const { services, status, open, stage, updates } = await fleet();
  const rollouts = await open();
  const aim = { ...AIM, group: 'pumsp' };
  await expect(rollouts.begin(aim, stage(100, 'a'), BY)).rejects.toMatchObject({
    code: 'empty-group',
    message: expect.stringContaining('no device is in the group pumsp (there is pumps)'),
  });
  expect(rollouts.list()).toEqual([]);
  const begun = await rollouts.begin(aim, stage(100, 'a'), { ...BY, allowEmptyGroup: true });
  expect(begun).toMatchObject({ status: 'running', groupDevices: 0, devices: 0 });

  const device = services.devices.get('device-0');
  if (device === undefined) throw new Error('no device');
  await services.devices.put({ ...device, groups: ['pumsp'] });
  status.wentOnline('device-0', hello);
  await waitFor(() => updates('device-0').length === 1);
  await waitFor(() => rollouts.get('spring').devices === 1, { what: 'it to be counted' });
  expect(rollouts.get('spring')).toMatchObject({ groupDevices: 1, given: 1 });
});

test('when many devices join the group at once, all of them are counted, and not each by a look at the whole fleet', async () => {
  const { services, status, open, stage } = await fleet();
  const rollouts = await open();
  const aim = { ...AIM, group: 'newcomers' };
  await rollouts.begin(aim, stage(100, 'a'), { ...BY, allowEmptyGroup: true });
  const newcomers = names.slice(0, 100);
  for (const name of newcomers) {
    const device = services.devices.get(name);
    if (device === undefined) throw new Error('no device');
    await services.devices.put({ ...device, groups: ['newcomers'] });
  }
  const pages = vi.spyOn(services.store, 'range');
  for (const name of newcomers) status.wentOnline(name, hello);
  await waitFor(() => rollouts.get('spring').devices === newcomers.length, { what: 'all to be counted' });
  expect(rollouts.get('spring')).toMatchObject({ groupDevices: 100, given: 100 });
  expect(pages.mock.calls.filter(([{ limit }]) => limit === 256).length).toBeLessThan(20);
});

test('when there is another rollout of that program to that group, or it is signed for something else, it is refused', async () => {
  const { open, stage } = await fleet();
  const rollouts = await open();
  await rollouts.begin(AIM, stage(10, 'a'), BY);
  const begin = (aim: object) =>
    rollouts.begin({ ...AIM, ...aim }, stage(10, 'b'), { ...BY, allowEmptyGroup: true });
  await expect(begin({})).rejects.toMatchObject({ code: 'rollout-exists' });
  await expect(begin({ rolloutId: 'other' })).rejects.toMatchObject({ code: 'rollout-exists' });
  const twice = [1, 2].map(() => begin({ rolloutId: 'other', group: 'valves' }));
  const ends = await Promise.allSettled(twice);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  const mismatch = { code: 'rollout-mismatch' };
  await expect(rollouts.goOn({ ...AIM, version: '2.0.0' }, stage(20, 'c'))).rejects.toMatchObject(mismatch);
  await expect(rollouts.goOn(AIM, stage(5, 'd'))).rejects.toMatchObject(mismatch);
  await expect(rollouts.halt('nobody', 'paused', '')).rejects.toMatchObject({ code: 'unknown-rollout' });
});

test('when the server starts anew with a large rollout, it is looked through page by page; of one that is over, no device is looked at again', async () => {
  const { services, status, open, stage, given, end } = await fleet();
  for (const name of names) status.wentOnline(name, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(100, 'a'), BY);
  await waitFor(() => given().length === names.length);
  for (const name of names) end(name, name === 'device-7' ? 'failed' : 'succeeded');
  await rollouts.halt('spring', 'stopped', 'by ann');
  rollouts.stop();

  const { store } = services;
  const range = store.range.bind(store);
  const pages: number[] = [];
  store.range = (wanted) => {
    const entries = range(wanted);
    if (wanted.from.startsWith('rollout-part/')) pages.push(entries.length);
    return entries;
  };
  const next = new Rollouts(services);
  await next.start();
  expect(pages).toEqual([256, 256, names.length - 512]);
  const told = next.get('spring');
  expect(told).toMatchObject({ status: 'stopped', succeeded: names.length - 1, failed: 1, given: 0 });
  next.stop();

  pages.length = 0;
  const last = new Rollouts(services);
  await last.start();
  expect(pages).toEqual([]);
  const { onDevices, ...again } = last.get('spring');
  expect({ ...again, onDevices }).toEqual(told);
  expect(Object.keys(again)).not.toContain('settled');
});

test('when there are as many rollouts as may be, the oldest that was stopped goes with all that is kept of it', async () => {
  const { services, status, open, stage, given } = await fleet();
  for (const name of names) status.wentOnline(name, hello);
  const rollouts = await open();
  await rollouts.begin(AIM, stage(100, 'a'), BY);
  await waitFor(() => given().length === names.length);
  await rollouts.halt('spring', 'stopped', 'by ann');
  for (let index = 1; index < 100; index += 1)
    await rollouts.begin({ ...AIM, rolloutId: `r${index}`, name: `p${index}` }, stage(0, 'b'), BY);
  await rollouts.begin({ ...AIM, rolloutId: 'one-more', name: 'q' }, stage(0, 'b'), BY);
  expect(rollouts.list().map(({ rolloutId }) => rolloutId)).not.toContain('spring');
  expect(services.store.range({ from: 'rollout-part/', to: 'rollout-part0' })).toEqual([]);
  const full = rollouts.begin({ ...AIM, rolloutId: 'too-many', name: 'z' }, stage(0, 'b'), BY);
  await expect(full).rejects.toMatchObject({ code: 'too-many-rollouts' });
});
