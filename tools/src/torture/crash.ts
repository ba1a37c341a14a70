import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { isTerminal, type Order } from '@bowline/messages';
import { WORKSPACE } from '../test/run.ts';
import { accountFor, type Account } from './account.ts';
import { DEVICE_ID, TortureFleet, until, VICTIMS, type Victim } from './fleet.ts';
import { Producer, SERIES } from './producer.ts';
import { readArrivals } from './server-log.ts';

/** What a campaign found; `npm run torture -- NAME --json FILE` writes it. */
export interface CampaignResult extends Account {
  name: string;
  seed: number;
  kills: number;
  /** Orders that the server accepted, and those of them that did not end. */
  orders: number;
  ordersUnfinished: number;
  /** Whether the same campaign caught a gateway that accepts before it is on disk. */
  controlCaught: boolean;
}

const LONGEST_PAUSE_MS = 250;
/** Most kills wait until samples flow again; the others hit processes that are just coming up. */
const IN_A_ROW_SHARE = 0.3;
const MOST_ACCEPTED_BETWEEN = 30;
const CONTROL_KILLS = 10;

/**
 * Kills gateway, executor, collector and server at random instants while samples go up and orders go down, then compares
 * what was accepted with what the server holds. First against a gateway that lies, to show that a loss is caught.
 *
 * @param random in [0, 1), seeded.
 */
export async function crash(
  { kills, seed, random }: { kills: number; seed: number; random: () => number },
  say: (line: string) => void,
): Promise<CampaignResult> {
  const controlCaught = await control(random, say);
  say(`crash: ${kills} kills`);
  const fleet = await TortureFleet.start();
  let clean = false;
  try {
    const producer = new Producer(fleet.hubFolder);
    const orders: Order[] = [];
    for (let kill = 1; kill <= kills; kill += 1) {
      await sleep(random() * LONGEST_PAUSE_MS);
      if (random() > IN_A_ROW_SHARE) {
        const enough = producer.accepted.length + random() * MOST_ACCEPTED_BETWEEN;
        await until(() => producer.accepted.length > enough, 'samples to flow');
      }
      if (kill % 5 === 0) await order(fleet, orders);
      fleet.kill(pick(random));
      if (kill % 100 === 0) say(`  ${kill} kills, ${producer.accepted.length} accepted`);
    }
    await producer.stop();
    const unfinished = await settle(fleet, orders);
    await fleet.stopServer();
    const arrivals = await readArrivals(fleet.serverDir, DEVICE_ID, SERIES);
    const account = accountFor(producer.accepted, arrivals);
    clean = account.lost + account.duplicated + account.outOfOrder + unfinished === 0;
    return {
      name: 'crash',
      seed,
      kills,
      ...account,
      orders: orders.length,
      ordersUnfinished: unfinished,
      controlCaught,
    };
  } finally {
    if (!clean) say(`state and logs are kept in ${fleet.folder}`);
    await fleet.end({ keepFolder: !clean });
  }
}

/** The same with a gateway that accepts before it is on disk, until a loss shows. */
async function control(random: () => number, say: (line: string) => void): Promise<boolean> {
  say('control: a gateway that accepts before it is on disk must be caught');
  const hook = join(WORKSPACE, 'tools/src/torture/hasty-queue.ts');
  const source = join(WORKSPACE, 'apps/ws-gateway/src/main.ts');
  const fleet = await TortureFleet.start(['--import', hook, source]);
  try {
    const producer = new Producer(fleet.hubFolder);
    for (let kill = 1; kill <= CONTROL_KILLS; kill += 1) {
      await until(() => fleet.isOnline(), 'the device to be online');
      await sleep(100 + random() * LONGEST_PAUSE_MS);
      fleet.kill('ws-gateway');
    }
    await producer.stop();
    await settle(fleet, []);
    await fleet.stopServer();
    const { lost } = accountFor(producer.accepted, await readArrivals(fleet.serverDir, DEVICE_ID, SERIES));
    say(`  caught: ${lost} lost`);
    return lost > 0;
  } finally {
    await fleet.end({ keepFolder: false });
  }
}

async function order(fleet: TortureFleet, orders: Order[]): Promise<void> {
  try {
    orders.push(await fleet.api.command(DEVICE_ID, 'ping'));
  } catch {
    // The server was just killed: whoever orders was told so, and the order may or may not exist. It is not counted.
  }
}

/** Lets the storm pass: all delivered, all orders ended. Returns how many did not end. */
async function settle(fleet: TortureFleet, orders: readonly Order[]): Promise<number> {
  await until(() => fleet.isOnline(), 'the device to be online after the last kill');
  const open = new Set(orders.map(({ orderId }) => orderId));
  await until(async () => {
    for (const orderId of open) {
      if (isTerminal((await fleet.api.order(orderId)).status)) open.delete(orderId);
    }
    return open.size === 0;
  }, 'every order to end').catch(() => undefined);
  await until(async () => (await fleet.waiting()) === 0, 'the outbox to be empty');
  return open.size;
}

const pick = (random: () => number): Victim => VICTIMS[Math.floor(random() * VICTIMS.length)] ?? 'ws-gateway';
