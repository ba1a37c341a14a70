import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignOptions } from './campaign.ts';
import { TortureFleet, until } from './fleet.ts';
import {
  COMMANDS,
  effectsIn,
  killProgram,
  programsLeft,
  writeCommands,
  type CommandName,
} from './orders/commands.ts';
import { judgeOrders, type GivenOrder, type Verdict } from './orders/judge.ts';
import { OrderGiver } from './orders/order-giver.ts';
import { VICTIMS, WHOLE_FLEET, type FleetApp } from './victims.ts';

/** What the campaign found; `npm run torture -- orders --json FILE` writes it. */
export interface OrdersResult extends Verdict {
  name: string;
  seed: number;
  kills: number;
  /** How many orders had been given when something was killed for the last time. */
  givenAtLastKill: number;
  /** Whether the same campaign caught an executor that runs again what must not run again. */
  controlCaught: boolean;
}

const LONGEST_PAUSE_MS = 100;
/** Most kills wait for an effect; the others hit processes that are just coming up. */
const IN_A_ROW_SHARE = 0.3;
/** At most: it ends with the first effect that is there twice. */
const CONTROL_KILLS = 60;
const CONTROL_ORDERS = 10;
/** Given and not ended, at a time. */
const UNDER_WAY = 12;

/**
 * Orders whose effects are counted: each is a line in a file, written by a real program. Every process of the device,
 * the server and the programs themselves are killed at random instants, from the first order to the last; in the end every
 * order must have ended once, and its effect must be there as often as its command promises. First with an executor that repeats what it must not, to show that this is caught.
 */
export async function countedOrders(
  options: CampaignOptions,
  say: (line: string) => void,
): Promise<OrdersResult> {
  const { kills, orders, seed, random } = options;
  say('control: an executor that repeats a command that must not be repeated must be caught');
  const lying = await run(
    { kills: CONTROL_KILLS, orders: CONTROL_ORDERS, random },
    ['command-executor'],
    true,
    say,
  );
  const controlCaught = lying.twice > 0;
  say(`  ${controlCaught ? 'caught' : 'NOT caught'}: ${lying.twice} effects took place twice`);
  say(`orders: ${orders} orders, ${kills} kills`);
  const found = await run({ kills, orders, random }, [...WHOLE_FLEET, 'program'], false, say);
  return { name: 'orders', seed, kills, ...found, controlCaught };
}

async function run(
  { kills, orders, random }: { kills: number; orders: number; random: () => number },
  victims: readonly (FleetApp | 'program')[],
  lies: boolean,
  say: (line: string) => void,
): Promise<Verdict & { givenAtLastKill: number }> {
  const fleet = await TortureFleet.start({
    apps: lies ? VICTIMS : WHOLE_FLEET,
    limits: true,
    executor: writeCommands(lies),
  });
  let clean = false;
  try {
    const given = new Map<string, GivenOrder>();
    const giver = new OrderGiver(fleet, given, orders, UNDER_WAY, () =>
      lies ? 'once' : pick(COMMANDS, random),
    );
    let left: (FleetApp | 'program')[] = [];
    let givenAtLastKill = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      if (lies && hasTwice(effectsIn(fleet.folder))) break;
      // Every order lives amid kills: they go on to the last one.
      await until(() => given.size >= (orders * kill) / kills, 'the next order to be given');
      if (lies || random() > IN_A_ROW_SHARE) await amidWork(fleet);
      await sleep(random() * LONGEST_PAUSE_MS);
      if (left.length === 0) left = [...victims];
      const [victim = 'program'] = left.splice(Math.floor(random() * left.length), 1);
      if (victim === 'program') killProgram(given, random);
      else await until(() => fleet.kill(victim), `${victim} to run`);
      givenAtLastKill = given.size;
      if (kill % 100 === 0) say(`  ${kill} kills, ${given.size} orders`);
    }
    await giver.finish();
    const effects = effectsIn(fleet.folder);
    await fleet.stop('command-executor');
    const verdict = judgeOrders([...given.values()], effects, programsLeft(given).length);
    clean = lies || isClean(verdict);
    return { ...verdict, givenAtLastKill };
  } finally {
    if (!clean) say(`state and logs are kept in ${fleet.folder}`);
    await fleet.end({ keepFolder: !clean });
  }
}

const hasTwice = (effects: readonly string[]): boolean => new Set(effects).size < effects.length;

/** Until another effect has taken place: its program goes on for a moment after it. */
function amidWork(fleet: TortureFleet): Promise<void> {
  const before = effectsIn(fleet.folder).length;
  return until(() => effectsIn(fleet.folder).length > before, 'an effect');
}

export const isClean = ({ unfinished, changed, twice, missing, unasked, leftRunning }: Verdict): boolean =>
  unfinished + changed + twice + missing + unasked + leftRunning === 0;

const pick = (names: readonly CommandName[], random: () => number): CommandName =>
  names[Math.floor(random() * names.length)] ?? 'once';
