import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CampaignOptions } from './campaign.ts';
import { OverriddenDevice, WHO, type Who } from './override/overridden-device.ts';

export interface OverrideResult {
  name: string;
  seed: number;
  kills: number;
  /** After which the new address was in force, and stayed so. */
  kept: number;
  findings: number;
  /** Whether a gateway that lets an override count before it was tried was found out. */
  controlCaught: boolean;
}

/** How often the command line asks until it has its connection is another number each time; a hash is told beside everything else. */
const isSteady = (instant: string): boolean =>
  !instant.endsWith('hashes') && (instant.startsWith('1 ') || !instant.includes('cli before ask'));

interface Case {
  instant: string;
  who: Who;
  isGood: boolean;
}

/**
 * `bowline config set` and `unset` of the link's address, as a person calls them, with command line, gateway or both killed from outside while
 * everything stands still at one instant of it; at each instant, once for each of them, with an address that is good and one that leads
 * nowhere. Nobody helps: each time the old address or the proven new one must be in force, the device online by it, and whoever
 * lived to say how it ended must have said the truth.
 *
 * @param options.kills at most so many, chosen by the seed. The default of a campaign has them all.
 */
export async function overrideKills(
  { kills, seed, random }: CampaignOptions,
  say: (line: string) => void,
): Promise<OverrideResult> {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-override-'));
  const device = await OverriddenDevice.start(folder);
  const result: OverrideResult = {
    name: 'override',
    seed,
    kills: 0,
    kept: 0,
    findings: 0,
    controlCaught: false,
  };
  try {
    const cases: Case[] = [];
    for (const isGood of [true, false]) {
      const instants = (await device.instantsOf(isGood)).filter(isSteady);
      say(`override: an address that ${isGood ? 'is good' : 'leads nowhere'}: ${instants.length} instants`);
      cases.push(...instants.flatMap((instant) => WHO.map((who) => ({ instant, who, isGood }))));
    }
    for (const { instant, who, isGood } of chosen(cases, kills, random)) {
      const { killed, isKept, wrong } = await device.killedAt(instant, who, isGood);
      if (killed) result.kills += 1;
      else say(`  ${instant} did not come`);
      if (isKept) result.kept += 1;
      if (wrong.length === 0) continue;
      result.findings += 1;
      say(`  ${instant}, ${isGood ? 'good' : 'bad'}, killed ${who}: ${wrong.join('; ')}`);
    }
    result.controlCaught = await device.seesUnprepared();
    say(`  control ${result.controlCaught ? 'caught' : 'NOT caught'}`);
    return result;
  } finally {
    if (result.findings > 0) say(`state and logs are kept in ${device.folder}`);
    await device.close(result.findings > 0);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In their order. */
function chosen(all: readonly Case[], most: number, random: () => number): readonly Case[] {
  const left = [...all.keys()];
  while (left.length > most) left.splice(Math.floor(random() * left.length), 1);
  return left.flatMap((index) => all[index] ?? []);
}
