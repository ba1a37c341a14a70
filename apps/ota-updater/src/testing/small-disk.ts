/**
 * Run in a mount namespace of its own: an updater with its state and its releases on two disks of 2 MiB, which fill up at one
 * point of an update after the other. Prints a line of JSON for each, how it ended, and one on the journal.
 *
 *     node small-disk.ts POINT...
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { waitFor } from '@bowline/testing';
import { emptyDisk } from './fill-disk.ts';
import { UpdateDevice } from './update-device.ts';

/** Longer than what may be left of a page of the journal. */
const LONG = 'x'.repeat(4096);
const device = await UpdateDevice.open();
device.trial = { ...device.trial, graceMs: 50, soakMs: 50 };
const disks = ['state', 'releases'].map((name) => join(device.folder, name));
for (const disk of disks) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', disk]);
device.fillFile = join(device.folder, 'fill');
const fillAt = (at: string) => writeFileSync(device.fillFile ?? '', JSON.stringify({ at, disks }));

const isSound = (line: string) => line.slice(0, 8) === crc32(line.slice(9)).toString(16).padStart(8, '0');

function release(version: string, broken: boolean): void {
  const probe = `#!/bin/sh\nexit ${broken ? 1 : 0}\n`;
  const manifest = { probe: { command: ['probe', LONG] } };
  device.release('kiosk', version, { files: { probe }, manifest, filesOnly: true });
}

try {
  fillAt('');
  release('1.0.0', false);
  const updater = device.start();
  await device.update('kiosk', '1.0.0');

  for (const [index, at] of process.argv.slice(2).entries()) {
    const version = `2.0.${index}`;
    release(version, at.includes('back'));
    fillAt(at);
    const before = updater.stdout().length;
    const order = await device.order('kiosk', version, { reason: LONG });
    const refused = await device.gateway.hand('ota-updater', order).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
    const { orderId } = order;
    const isOver = () =>
      device.gateway.reports.some((each) => each.orderId === orderId && each.status !== 'started');
    const feltIt = () => refused !== undefined || updater.stdout().slice(before).includes('no-space');
    await waitFor(() => feltIt() || isOver(), { what: `no room ${at}` });
    const full = feltIt();
    for (const disk of disks) emptyDisk(disk);
    if (refused !== undefined) await device.gateway.hand('ota-updater', order);
    const { status, error, result } = await device.ended(orderId);
    await device.told(orderId);
    const degraded = (result as { degraded?: string } | undefined)?.degraded;
    const end = { at, full, status, code: error?.code, refused, degraded, inPlace: device.inPlace('kiosk') };
    process.stdout.write(`${JSON.stringify(end)}\n`);
  }
  const journal = readFileSync(join(device.folder, 'state', 'updates.journal'), 'utf8');
  const damaged = journal.split('\n').filter((line) => line !== '' && !isSound(line));
  process.stdout.write(`${JSON.stringify({ damaged: damaged.length })}\n`);
} finally {
  await device.close();
  for (const disk of disks) execFileSync('umount', [disk]);
  rmSync(device.folder, { recursive: true });
}
