import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { waitFor } from '@bowline/testing';
import type { UpdateDevice } from './update-device.ts';

export interface KillOptions {
  /** A release that fails its trial: the way back is tried. */
  broken: boolean;
  /** With a process under pm2; else only files, judged by their probe. */
  withProcess: boolean;
  /** The control: with each kill the journal says that it was rolled back, as if records were written before their effects. */
  saysTooEarly?: boolean;
  /** The first point that is tried; default 1. */
  from?: number;
  /** No more than these are tried; default all. */
  most?: number;
  say?: (line: string) => void;
}

export interface KillResult {
  /** Names of the points at which the updater was killed, in order. */
  points: string[];
  /** What was wrong after the next life had ended the update. */
  findings: string[];
}

const GOOD_PROBE = '#!/bin/sh\nexit 0\n';
const BAD_PROBE = '#!/bin/sh\necho broken\nexit 1\n';

/**
 * Updates one program again and again, and kills the updater at the first point, the second, and so on, until a run ends
 * before its point comes. After each kill another life must end the update by itself, with the right release in place.
 */
export async function killEverywhere(device: UpdateDevice, options: KillOptions): Promise<KillResult> {
  const { broken, withProcess, saysTooEarly = false, from = 1, most = Infinity, say = () => {} } = options;
  const points: string[] = [];
  const findings: string[] = [];
  const release = (version: string, bad: boolean) =>
    device.release('kiosk', version, {
      files: { probe: bad ? BAD_PROBE : GOOD_PROBE },
      manifest: { probe: { command: ['probe'] } },
      filesOnly: !withProcess,
    });
  release('1.0.0', false);
  device.start();
  const standard = await device.update('kiosk', '1.0.0');
  await device.told(standard.orderId);
  let standing = '1.0.0';

  for (let dieAt = from; dieAt < from + most; dieAt += 1) {
    const version = `2.0.${dieAt}`;
    release(version, broken);
    const order = await device.order('kiosk', version);
    // It is the life that has ended the update before.
    const first = device.updater ?? device.start();
    const died = first.exited.then(() => 'died' as const);
    device.dieAt(dieAt);
    device.gateway.hand('ota-updater', order).catch(() => {}); // it may die of it
    const outcome = await Promise.race([died, device.told(order.orderId)]);
    if (outcome === 'told') {
      await device.updater?.kill('SIGKILL');
      return { points, findings };
    }
    const where = lastPoint(first.stderr());
    points.push(where);
    if (saysTooEarly) sayRolledBack(join(device.folder, 'state', 'updates.journal'), order.orderId);
    device.start();
    // As the gateway does with every order that has not ended; the connection of the dead one may still be there.
    await waitFor(() => device.gateway.hand('ota-updater', order).then(() => true));
    const end = await device.ended(order.orderId);
    await device.told(order.orderId);
    const expected = broken ? standing : version;
    const found = device.inPlace('kiosk');
    const running = withProcess ? await device.running('kiosk') : found;
    if (end.status !== (broken ? 'failed' : 'succeeded')) findings.push(`${where}: ended ${end.status}`);
    if (found !== expected) findings.push(`${where}: ${String(found)} is in place, not ${expected}`);
    else if (running !== expected) findings.push(`${where}: ${String(running)} runs, not ${expected}`);
    if (found !== undefined) standing = found;
    say(`killed ${where}: ${end.status}, ${String(found)} in place`);
  }
  return { points, findings };
}

function lastPoint(output: string): string {
  const points = [...output.matchAll(/"where":"([^"]+)"/g)];
  return points.at(-1)?.[1] ?? 'at no point';
}

/** Appends the records that the way back ends with. */
function sayRolledBack(journal: string, orderId: string): void {
  const failure = { code: 'probe-failed', message: 'its probe failed', deny: true };
  for (const more of [{ type: 'rolling-back', failure }, { type: 'rolled-back' }]) {
    const json = JSON.stringify({ orderId, at: 0, ...more });
    appendFileSync(journal, `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`);
  }
}
