import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import { accountsOf, settle, storm, type CampaignOptions, type CampaignResult } from './campaign.ts';
import { TortureFleet, until } from './fleet.ts';
import { PowerDisk } from './power-disk.ts';
import { Producer } from './producer.ts';
import type { Machine } from './victims.ts';

/** Accepted by the control before its power goes. */
const ENOUGH = 50;

/**
 * Cuts the power of the device or of the server at random instants: each has a file system of its own that loses what was
 * not synced. Then compares what was accepted with what the server holds. First with a store that does not sync, on
 * either side, to show that a loss is caught.
 */
export async function powercut(
  options: CampaignOptions,
  say: (line: string) => void,
): Promise<CampaignResult> {
  const missing = PowerDisk.missing();
  if (missing !== undefined) throw new Error(`powercut needs ${missing}`);
  const { kills, seed, random } = options;
  const controlCaught = (await control('device', say)) && (await control('server', say));
  say(`powercut: ${kills} cuts`);
  const strike = (fleet: TortureFleet) => fleet.cutPower(random() < 2 / 3 ? 'device' : 'server');
  const found = await storm(options, { disks: true }, strike, say);
  return { name: 'powercut', seed, kills, ...found, controlCaught };
}

/** One cut of a machine whose store promises without sync. What was there before the promises is durable. */
async function control(machine: Machine, say: (line: string) => void): Promise<boolean> {
  say(`control: a ${machine} that promises without sync must be caught`);
  const app = machine === 'device' ? 'ws-gateway' : 'fleet-server';
  const hook = join(WORKSPACE, 'tools/src/torture/unsynced-store.ts');
  const source = join(WORKSPACE, 'apps', app, 'src/main.ts');
  const fleet = await TortureFleet.start({ disks: true, programs: { [app]: ['--import', hook, source] } });
  try {
    fleet.sync();
    // The device promises to its apps while the server is away; the server promises to the device while it is there.
    if (machine === 'device') await fleet.hold('fleet-server');
    const producer = new Producer(fleet.hubFolder);
    await until(() => producer.accepted.length >= ENOUGH, 'samples to flow');
    if (machine === 'server') await until(async () => (await fleet.receipted()) >= ENOUGH, 'receipts');
    await fleet.cutPower(machine);
    fleet.release('fleet-server');
    await producer.stop();
    await settle(fleet, []);
    const { lost } = (await accountsOf(fleet, producer)).ofProducer;
    say(`  ${lost > 0 ? 'caught' : 'NOT caught'}: ${lost} lost`);
    return lost > 0;
  } finally {
    await fleet.end({ keepFolder: false });
  }
}
