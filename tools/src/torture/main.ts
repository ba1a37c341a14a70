/**
 * Long campaigns: `npm run torture -- NAME [--kills N] [--seed S] [--json FILE]`. Prints the seed, which replays the
 * campaign's choices, and a table; exits 1 if anything was lost, doubled or out of order, or the control was not caught.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { seededRandom } from '@bowline/testing/seeded-random';
import type { CampaignResult } from './campaign.ts';
import { crash } from './crash.ts';
import { powercut } from './powercut.ts';

const CAMPAIGNS = { crash, powercut };
const DEFAULT_KILLS = 1000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kills: { type: 'string' }, seed: { type: 'string' }, json: { type: 'string' } },
});
const [name = ''] = positionals;
if (!Object.hasOwn(CAMPAIGNS, name)) {
  console.error(`There is no campaign "${name}". Known: ${Object.keys(CAMPAIGNS).join(', ')}.`);
  process.exit(2);
}
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(values.kills ?? DEFAULT_KILLS);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(kills) || kills < 1) {
  console.error('--seed and --kills take whole numbers.');
  process.exit(2);
}
console.log(`${name}: seed ${seed}`);
const result = await CAMPAIGNS[name as keyof typeof CAMPAIGNS](
  { kills, seed, random: seededRandom(seed).next },
  console.log,
);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
const table = new Table({ style: { head: [], border: [] } });
table.push(...Object.entries(result).map(([key, value]) => [key, String(value)]));
console.log(table.toString());
process.exit(isClean(result) ? 0 : 1);

function isClean(found: CampaignResult): boolean {
  const wrong = found.lost + found.duplicated + found.outOfOrder + found.ordersUnfinished;
  return wrong === 0 && found.controlCaught;
}
