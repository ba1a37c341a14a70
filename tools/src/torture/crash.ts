import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';
import {
  accountsOf,
  LONGEST_PAUSE_MS,
  settle,
  storm,
  type CampaignOptions,
  type CampaignResult,
} from './campaign.ts';
import { acceptedByCollector } from './collector-log.ts';
import { TortureFleet, until } from './fleet.ts';
import { Producer } from './producer.ts';
import { VICTIMS, type Victim } from './victims.ts';

const CONTROL_KILLS = 10;

/**
 * Kills gateway, executor, collector and server at random instants while samples go up and orders go down, then compares
 * what was accepted with what the server holds. First against a gateway that lies, to show that a loss is caught.
 */
export async function crash(options: CampaignOptions, say: (line: string) => void): Promise<CampaignResult> {
  const { kills, seed, random } = options;
  const controlCaught = await control(random, say);
  say(`crash: ${kills} kills`);
  const victims = inTurns(random);
  const strike = (fleet: TortureFleet) => {
    const victim = victims.next().value;
    return until(() => fleet.kill(victim), `${victim} to run`);
  };
  const found = await storm(options, {}, strike, say);
  return { name: 'crash', seed, kills, ...found, controlCaught };
}

/** The same with a gateway that accepts before it is on disk, until a loss shows. */
async function control(random: () => number, say: (line: string) => void): Promise<boolean> {
  say('control: a gateway that accepts before it is on disk must be caught');
  const hook = join(WORKSPACE, 'tools/src/torture/hasty-queue.ts');
  const source = join(WORKSPACE, 'apps/ws-gateway/src/main.ts');
  const fleet = await TortureFleet.start({ programs: { 'ws-gateway': ['--import', hook, source] } });
  try {
    const producer = new Producer(fleet.hubFolder);
    const collectorLog = fleet.logOf('telemetry-collector');
    for (let kill = 1; kill <= CONTROL_KILLS; kill += 1) {
      const before = acceptedByCollector(collectorLog).length;
      await until(() => acceptedByCollector(collectorLog).length > before, 'the collector to hand over');
      await sleep(random() * LONGEST_PAUSE_MS);
      fleet.kill('ws-gateway');
    }
    await producer.stop();
    await settle(fleet, []);
    const { ofProducer, ofCollector } = await accountsOf(fleet, producer);
    const caught = ofProducer.lost > 0 && ofCollector.lost > 0;
    say(
      `  ${caught ? 'caught' : 'NOT caught'}: ${ofProducer.lost} lost, and ${ofCollector.lost} of the collector`,
    );
    return caught;
  } finally {
    await fleet.end({ keepFolder: false });
  }
}

/** Each of them once in random order, again and again: none is spared by chance. */
function* inTurns(random: () => number): Generator<Victim, never> {
  for (;;) {
    const left: Victim[] = [...VICTIMS];
    while (left.length > 0) yield* left.splice(Math.floor(random() * left.length), 1);
  }
}
