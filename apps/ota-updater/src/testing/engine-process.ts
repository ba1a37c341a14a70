/**
 * The updater as it is, over releases in a folder (`TEST_SOURCE`), which may be told to die: the file `TEST_DIE` ends it with
 * SIGKILL at points between writing an intent, having an effect and writing what became of it: at the Nth from then on (N), or
 * at each of those that it names (a list; each is taken out of it). At the point that the file `TEST_FILL` names it fills the
 * disks that are named there. With `TEST_NO_PM2` there are no processes.
 */
import { readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { joinHub, takeSignedOrders } from '@bowline/device-app';
import { readFileIfPresent, runApp } from '@bowline/runtime';
import { updateOrders } from '../adapters/update-orders.ts';
import type { UpdaterConfig } from '../config.ts';
import { openEngine } from '../engine/open-engine.ts';
import { config as validateConfig } from '../generated/config.js';
import { fillDisk } from './fill-disk.ts';
import { folderSource } from './folder-source.ts';

const { TEST_SOURCE = '', TEST_DIE = '', TEST_FILL, TEST_BOOT = '', TEST_APPS, TEST_NO_PM2 } = process.env;
/** A pm2 that has no processes, for releases without: to ask the real one, a program is started each time. */
const noPm2 = {
  list: async () => [],
  restart: async () => {},
  start: async () => {},
  remove: async () => {},
  isRunning: async () => true,
  daemonPid: () => undefined,
};
/** The id of this boot, if a test reboots the device: what it would end is this process. */
const bootId = readFileIfPresent(TEST_BOOT)?.trim();
let points = 0;
const checkpoint = (where: string) => {
  // At once: what a logger still holds dies with the process.
  writeSync(2, `${JSON.stringify({ where })}\n`);
  if (diesAt(where)) process.kill(process.pid, 'SIGKILL');
  if (TEST_FILL !== undefined) fillWhere(TEST_FILL, where);
};

function diesAt(where: string): boolean {
  const told = readFileIfPresent(TEST_DIE);
  if (told === undefined) return false;
  const at = JSON.parse(told) as number | string[];
  if (typeof at === 'number') {
    // They are counted from the order on; what is left to do of the one before is none of its points.
    if (points === 0 && where !== 'before accepted') return false;
    points += 1;
    if (points !== at) return false;
    rmSync(TEST_DIE);
    return true;
  }
  if (!at.includes(where)) return false;
  writeFileSync(TEST_DIE, JSON.stringify(at.filter((each) => each !== where)));
  return true;
}

function fillWhere(told: string, where: string): void {
  const { at, disks } = JSON.parse(readFileSync(told, 'utf8')) as { at: string; disks: string[] };
  if (at !== where) return;
  writeFileSync(told, JSON.stringify({ at: '', disks }));
  for (const disk of disks) fillDisk(disk);
}

await runApp<UpdaterConfig>({
  app: 'ota-updater',
  version: '0',
  validateConfig,
  start: async ({ config, live, log, clock, ready, signal, restart }) => {
    const orderTypes = ['softwareUpdate'] as const;
    let calmly = (act: () => void) => act();
    const restartCalmly = (reason: string) => calmly(() => restart(reason));
    const member = { app: 'ota-updater', version: '0', orderTypes, config, live } as const;
    const hub = await joinHub({ ...member, restart: restartCalmly, log, clock, signal });
    const server = folderSource(TEST_SOURCE, join(config.stateDir, 'content'));
    const openSources = () => ({ server, bundle: () => server });
    const { engine, close } = await openEngine({
      way: { link: () => undefined },
      config,
      hub,
      openSources,
      log,
      clock,
      signal,
      checkpoint,
      ...(bootId === undefined ? {} : { bootId }),
      ...(TEST_NO_PM2 === undefined ? {} : { pm2: noPm2 }),
      ...(TEST_APPS === undefined ? {} : { apps: TEST_APPS.split(',') }),
    });
    calmly = (act) => engine.whenCalm(act);
    takeSignedOrders(hub, log, updateOrders(engine, hub, log));
    hub.client.handle('cancelOrder', ({ orderId }) => ({ outcome: engine.cancel(orderId) }));
    hub.onHeard(() => engine.wake());
    ready();
    return {
      stop: async () => {
        await close();
        hub.close();
      },
    };
  },
});
