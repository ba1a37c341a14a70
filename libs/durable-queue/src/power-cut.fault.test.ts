import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Recovery } from './queue.ts';
import type { CrashReport } from './testing/crash-writer.ts';
import { afterPowerCut, readTrace, type Step } from './testing/power-cut.ts';
import { seededRandom } from './testing/seeded-random.ts';
import { openTestQueue, temporaryFolder } from './testing/test-queue.ts';
import { KEPT, Testimony } from './testing/testimony.ts';

const WRITER = new URL('testing/crash-writer.ts', import.meta.url).pathname;
const CUTS = Number(process.env['BOWLINE_CUTS'] ?? 8);
const SEED = Number(process.env['BOWLINE_SEED'] ?? Date.now() % 1e9);
const REPORTS = 150;

const canTrace = spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;
const CALLS = 'openat,close,lseek,write,writev,pwrite64,pwritev,fdatasync,fsync,rename,unlink';

/** One life of the writer, as a list of what reached the kernel. */
function live(seed: number, control: string[] = []): Step[] {
  const folder = join(temporaryFolder(), 'store');
  mkdirSync(folder);
  const trace = join(folder, '..', 'trace');
  const traced = [
    '-f',
    '-qq',
    '-xx',
    '-s',
    '100000000',
    '-e',
    `trace=${CALLS}`,
    '-e',
    'signal=none',
    '-o',
    trace,
  ];
  const writer = [process.execPath, WRITER, folder, String(seed), String(REPORTS)];
  spawnSync('strace', traced.concat(writer, control));
  return readTrace(readFileSync(trace, 'latin1'), folder, 'store.mdb');
}

type Outcome = ReturnType<Testimony['broken']> & { recovery: Recovery | undefined };

/** Cuts the power after so many steps, and opens what is left. @returns what was promised and is not kept. */
async function cutAfter(steps: readonly Step[], random: () => number): Promise<Outcome> {
  const testimony = new Testimony();
  for (const step of steps) if (step.kind === 'told') testimony.hear(JSON.parse(step.line) as CrashReport);
  const folder = temporaryFolder();
  const image = afterPowerCut(steps, random);
  if (image !== undefined) writeFileSync(join(folder, 'store.mdb'), image);
  const queue = await openTestQueue({ folder });
  const { recovery } = queue;
  try {
    return { ...testimony.broken(queue), recovery };
  } finally {
    await queue.close();
  }
}

describe('a power cut (needs strace: apt-get install strace)', () => {
  test.skipIf(!canTrace)(
    `when the power goes at any write (${CUTS} times, seed ${SEED}), every promise is kept and nothing needs repair`,
    async () => {
      const random = seededRandom(SEED);
      const steps = live(SEED);
      expect(steps.filter(({ kind }) => kind === 'told')).toHaveLength(REPORTS);
      for (let cut = 0; cut < CUTS; cut += 1) {
        const after = Math.ceil(random() * steps.length);
        const kept = await cutAfter(steps.slice(0, after), random);
        expect(kept, `after step ${after} of ${steps.length}, seed ${SEED}`).toEqual({
          ...KEPT,
          recovery: undefined,
        });
      }
    },
    600_000,
  );

  test.skipIf(!canTrace)(
    'when the store promises without sync, the same cuts find promises broken',
    async () => {
      const random = seededRandom(SEED);
      const steps = live(SEED, ['noSync']);
      let broken = 0;
      for (let cut = 0; cut < 20 && broken === 0; cut += 1) {
        const after = Math.ceil(steps.length * (0.5 + random() / 2));
        const { lost } = await cutAfter(steps.slice(0, after), random);
        broken += lost.length;
      }
      expect(broken).toBeGreaterThan(0);
    },
    600_000,
  );
});
