import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { History } from '@bowline/history-store';
import { startProcess, waitFor } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';
import type { CampaignOptions } from './campaign.ts';
import { PowerDisk } from './power-disk.ts';
import { standStill } from './stand-still.ts';

export interface HistoryResult {
  name: 'history';
  seed: number;
  kills: number;
  /** Samples that were said to be recorded. */
  confirmed: number;
  findings: number;
  controlCaught: boolean;
}

const WRITER = join(WORKSPACE, 'libs/history-store/src/testing/writer-process.ts');
const UNSYNCED = join(WORKSPACE, 'tools/src/torture/unsynced-history.ts');
/** What the writer puts into a batch. */
const BATCH = 60;
const ROOMY_BYTES = 64 * 2 ** 20;
/** So little that room is made all the time. */
const TIGHT_BYTES = 120_000;
const MOST_BATCHES = 80;
const DAY_MS = 86_400_000;
const EVER = 1000 * DAY_MS;

/**
 * Cuts the power of the disk that a history is on while samples are recorded, blocks made and room made, again and again; what was
 * not synced is gone. Whatever was said to be recorded must be there, in its order, once; what was given up must be told. One
 * history has room for all, one has to give up most. First with a SQLite that does not sync, to show that a loss is caught.
 */
export async function history(
  { kills, seed, random }: CampaignOptions,
  say: (line: string) => void,
): Promise<HistoryResult> {
  const missing = PowerDisk.missing();
  if (missing !== undefined) throw new Error(`history needs ${missing}`);
  say('control: a history that promises without sync must be caught');
  const caught = await onDisk((life) => life(ROOMY_BYTES, MOST_BATCHES, ['--import', UNSYNCED]));
  const controlCaught = caught.findings.length > 0;
  say(`  ${controlCaught ? 'caught' : 'NOT caught'}: ${caught.findings.join('; ')}`);
  say(`history: ${kills} cuts`);
  const found = await onDisk(async (life) => {
    for (let cut = 0; cut < kills; cut += 1) {
      const batches = 1 + Math.floor(random() * MOST_BATCHES);
      await life(cut % 2 === 0 ? ROOMY_BYTES : TIGHT_BYTES, batches, []);
    }
  });
  for (const finding of found.findings) say(`  ${finding}`);
  const { confirmed, findings } = found;
  return { name: 'history', seed, kills, confirmed, findings: findings.length, controlCaught };
}

/** Records until so many batches are confirmed, cuts the power, and compares. */
type Life = (maxBytes: number, batches: number, nodeArgs: readonly string[]) => Promise<void>;

async function onDisk(
  work: (life: Life) => Promise<void>,
): Promise<{ confirmed: number; findings: string[] }> {
  const root = mkdtempSync(join(tmpdir(), 'bl-history-'));
  const mount = mkdtempSync(join(root, 'disk-'));
  const disk = new PowerDisk(mount);
  const findings: string[] = [];
  /** The next batch of each history. */
  const next = new Map<number, number>();
  let confirmed = 0;
  const life: Life = async (maxBytes, batches, nodeArgs) => {
    const folder = join(mount, String(maxBytes));
    const first = next.get(maxBytes) ?? 0;
    const args = [...nodeArgs, WRITER, folder, String(first), String(maxBytes)];
    const writer = startProcess(process.execPath, args);
    const said = () => writer.stdout().split('\n').slice(0, -1).map(Number);
    await waitFor(() => said().length >= batches, { what: 'batches', timeoutMs: 60_000 });
    await standStill(writer.pid, () => process.kill(writer.pid, 'SIGSTOP'));
    disk.cut();
    await writer.kill();
    await disk.boot();
    const last = said().at(-1) ?? first - 1;
    confirmed += BATCH * said().length;
    const { recorded, faults } = compare(folder, maxBytes, last + 1);
    findings.push(...faults);
    next.set(maxBytes, recorded);
  };
  try {
    await work(life);
  } finally {
    await disk.end();
    rmSync(root, { recursive: true, force: true });
  }
  return { confirmed, findings };
}

/** @param confirmed batches that were said to be recorded */
function compare(
  folder: string,
  maxBytes: number,
  confirmed: number,
): { recorded: number; faults: string[] } {
  const faults: string[] = [];
  const opened = new History({
    mostSeries: 10_000,
    folder,
    retention: { rawMs: EVER, minutesMs: EVER, hoursMs: EVER, maxBytes },
    reserveBytes: 0,
    onIncident: ({ quarantine }) => faults.push(`${quarantine} was damaged`),
    onDamagedBlock: ({ samples }) => faults.push(`a block of ${samples} samples was damaged`),
  });
  try {
    const { totals, unsentSamples } = opened.stats();
    const recorded = totals.recorded / BATCH;
    // The one that was under way may be there without having been confirmed.
    if (recorded !== confirmed && recorded !== confirmed + 1)
      faults.push(`${confirmed} batches were confirmed, ${recorded} are there`);
    const givenUp = opened
      .gaps(() => '01900000-0000-7000-8000-000000000000')
      .reduce((sum, { count }) => sum + count, 0);
    if (givenUp !== totals.unsentGivenUp || unsentSamples + givenUp !== totals.unsentRecorded)
      faults.push(
        `of ${totals.unsentRecorded} unsent samples ${unsentSamples} are there and ${givenUp} told as given up`,
      );
    const { points } = opened.query({ series: 'a', from: 0, to: Number.MAX_SAFE_INTEGER });
    const isRising = points.every(({ at }, index) => index === 0 || (points[index - 1]?.at ?? 0) < at);
    if (!isRising) faults.push('moments came twice or in disorder');
    if (maxBytes === ROOMY_BYTES && points.length !== totals.recorded)
      faults.push(`${totals.recorded} samples were recorded, ${points.length} are read`);
    return { recorded, faults };
  } finally {
    opened.close();
  }
}
