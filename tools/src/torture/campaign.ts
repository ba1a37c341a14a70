import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal, type Order } from '@bowline/messages';
import { accountFor, addAccounts, type Account } from './account.ts';
import { acceptedByCollector } from './collector-log.ts';
import { DEVICE_ID, TortureFleet, until, type FleetOptions } from './fleet.ts';
import { Producer } from './producer.ts';
import { readArrivals } from './server-log.ts';

/** What a campaign found; `npm run torture -- NAME --json FILE` writes it. */
export interface CampaignResult extends Account {
  name: string;
  seed: number;
  kills: number;
  /** Of `accepted`, the messages of the device's own collector. */
  acceptedFromCollector: number;
  /** Orders that the server accepted, and those of them that did not end. */
  orders: number;
  ordersUnfinished: number;
  /** Whether the same campaign caught a build that accepts before it is durable. */
  controlCaught: boolean;
}

export interface CampaignOptions {
  kills: number;
  inputs: number;
  orders: number;
  /** Of offline: simulated seconds without a cloud. */
  seconds: number;
  sessions: number;
  seed: number;
  /** In [0, 1), seeded. */
  random: () => number;
}

export const LONGEST_PAUSE_MS = 250;
/** Most kills wait until samples flow again; the others hit processes that are just coming up. */
const IN_A_ROW_SHARE = 0.3;
const MOST_ACCEPTED_BETWEEN = 30;

/** Samples go up, orders go down, and `strike` hits again and again; then what was accepted is compared with what arrived. */
export async function storm(
  { kills, random }: CampaignOptions,
  fleetOptions: FleetOptions,
  strike: (fleet: TortureFleet) => void | Promise<void>,
  say: (line: string) => void,
): Promise<Omit<CampaignResult, 'name' | 'seed' | 'kills' | 'controlCaught'>> {
  const fleet = await TortureFleet.start(fleetOptions);
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
      await strike(fleet);
      if (kill % 100 === 0) say(`  ${kill} kills, ${producer.accepted.length} accepted`);
    }
    await producer.stop();
    const ordersUnfinished = await settle(fleet, orders);
    const { ofProducer, ofCollector } = await accountsOf(fleet, producer);
    const account = addAccounts(ofProducer, ofCollector);
    clean = account.lost + account.duplicated + account.outOfOrder + ordersUnfinished === 0;
    const acceptedFromCollector = ofCollector.accepted;
    return { ...account, acceptedFromCollector, orders: orders.length, ordersUnfinished };
  } finally {
    if (!clean) say(`state and logs are kept in ${fleet.folder}`);
    await fleet.end({ keepFolder: !clean });
  }
}

/** Stops the server and compares what producer and collector were told with what the server holds. */
export async function accountsOf(
  fleet: TortureFleet,
  producer: Producer,
): Promise<{ ofProducer: Account; ofCollector: Account }> {
  await fleet.stop('fleet-server');
  const { producer: counted, collector: collected } = await readArrivals(fleet.serverDir, DEVICE_ID);
  const accepted = acceptedByCollector(fleet.logOf('telemetry-collector'));
  const told = new Set(accepted);
  return {
    ofProducer: accountFor(producer.accepted, counted),
    // Not by what an earlier life left over: it comes beside the samples of this one, under the ids that it had, and twice where its
    // file comes back with the power (apps/telemetry-collector/src/adapters/left-over.ts).
    ofCollector: accountFor(
      accepted,
      collected.filter(({ key }) => told.has(key)),
    ),
  };
}

async function order(fleet: TortureFleet, orders: Order[]): Promise<void> {
  try {
    orders.push(await fleet.api.command(DEVICE_ID, 'ping'));
  } catch {
    // The server was just killed: whoever orders was told so, and the order may or may not exist. It is not counted.
  }
}

/** Lets the storm pass: all delivered, all orders ended. Returns how many did not end. */
export async function settle(fleet: TortureFleet, orders: readonly Order[]): Promise<number> {
  await until(() => fleet.isOnline(), 'the device to be online after the last kill');
  await fleet.stop('telemetry-collector'); // hands over what it holds; else the outbox would never be empty
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
