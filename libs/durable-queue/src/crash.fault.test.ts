import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import type { CrashReport } from './testing/crash-writer.ts';
import { openTestQueue, temporaryFolder } from './testing/test-queue.ts';
import { KEPT, Testimony } from './testing/testimony.ts';

const WRITER = new URL('testing/crash-writer.ts', import.meta.url).pathname;

/** Starts the writer and kills it after so many reports. */
async function writeAndKill(
  folder: string,
  seed: number,
  reports: number,
  testimony: Testimony,
  early = false,
) {
  // Killed from outside, at any instruction; by itself it would only die right after a report.
  const args = [WRITER, folder, String(seed), 'Infinity', ...(early ? ['early'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += chunk));
  let heard = 0;
  try {
    for await (const line of createInterface(child.stdout)) {
      testimony.hear(JSON.parse(line) as CrashReport);
      heard += 1;
      // What was written before the kill is in the pipe and is still heard.
      if (heard === reports) child.kill('SIGKILL');
    }
  } finally {
    // Only when it is gone is the store free: its output ends a moment before it does, and a lie is heard while it runs.
    child.kill('SIGKILL');
    child.stdout.resume();
    await ended;
  }
  if (heard < reports) throw new Error(`the writer ended by itself after ${heard} reports: ${errors}`);
}

/**
 * What this proves: after `kill -9` at any moment nothing that was promised is missing, no seq is used twice, the counters
 * are true. What it cannot prove: that the disk has it, since the kernel keeps what a killed process wrote; the same test
 * passes with `noSync`. For that the power must go (power-cut.fault.test.ts). The control here is a writer that tells of
 * promises before it has them: the check must find them broken.
 */
describe('kill -9', () => {
  const KILLS = Number(process.env['BOWLINE_KILLS'] ?? 8);
  const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);

  test(`when the writer is killed ${KILLS} times (seed ${SEED}), every promise is kept and no seq is used twice`, async () => {
    const folder = temporaryFolder();
    const testimony = new Testimony();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await writeAndKill(folder, SEED + kill, 20 + ((SEED + kill * 7919) % 400), testimony);
      const queue = await openTestQueue({ folder });
      expect(testimony.broken(queue), `kill ${kill}, seed ${SEED}`).toEqual(KEPT);
      await queue.close();
    }
    expect(testimony.stored.size).toBeGreaterThan(KILLS);
  }, 300_000);

  test('when the writer tells of promises that it does not have yet, the check finds them broken', async () => {
    const folder = temporaryFolder();
    const testimony = new Testimony();
    let lost = 0;
    for (let kill = 0; kill < 20 && lost === 0; kill += 1) {
      await writeAndKill(folder, SEED + kill, 40 + kill, testimony, true).catch((error: unknown) => {
        // Guessed numbers may also collide: found broken as well.
        if (!String(error).includes('was given to')) throw error;
        lost += 1;
      });
      const queue = await openTestQueue({ folder });
      lost += testimony.broken(queue).lost.length;
      await queue.close();
    }
    expect(lost).toBeGreaterThan(0);
  });
});
