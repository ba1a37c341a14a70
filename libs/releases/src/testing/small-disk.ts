/**
 * Run on a disk of 8 MiB and 60 inodes: brings releases to it with and without ballast, and prints how each step ended.
 *
 *     node small-disk.ts REPOSITORY URL DISK
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BowlineError } from '@bowline/runtime';
import { differences } from '../device/index.ts';
import { never, testDevice } from './test-device.ts';

const MIB = 1024 * 1024;
const [repository = '', url = '', disk = ''] = process.argv.slice(2);
const device = testDevice({ urls: [url], folder: disk, repository });
const out = join(disk, 'out');
const ballast = join(disk, 'ballast');

async function step(name: string, act: () => Promise<unknown>): Promise<void> {
  let ended: unknown;
  try {
    ended = (await act()) ?? 'done';
  } catch (error) {
    ended = error instanceof BowlineError ? `${error.name} ${error.code}: ${error.message}` : String(error);
  }
  process.stdout.write(`${name}: ${String(ended)}\n`);
}
const weighed = async (mib: number, act: () => Promise<unknown>) => {
  writeFileSync(ballast, Buffer.alloc(mib * MIB, 1));
  await act().finally(() => rmSync(ballast));
};

await step('too many bytes', () => weighed(3, () => device.resolve()));
await step('too many inodes', () => device.resolve({ version: '2.0.0' }));
const plan = await device.resolve();
await step('full while fetching', () => weighed(6, () => device.source.fetch(plan, () => {}, never)));
await step('room to fetch', () => device.source.fetch(plan, () => {}, never));
await step('full while laying out', () => weighed(3, () => device.source.stage(plan, out, never)));
rmSync(out, { recursive: true });
await step('room to lay out', () => device.source.stage(plan, out, never));
await step('differences', async () => (await differences(plan.manifest, out, never)).length);
device.close();
