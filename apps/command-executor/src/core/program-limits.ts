import type { ProgramLimits } from '../manifest.ts';

/** By prlimit(1). */
const FLAGS = {
  cpuSeconds: '--cpu',
  memoryBytes: '--as',
  openFiles: '--nofile',
  processes: '--nproc',
  fileBytes: '--fsize',
} as const satisfies Record<keyof ProgramLimits, string>;

const NAMES = Object.keys(FLAGS) as (keyof ProgramLimits)[];

/** The stricter of each: what a command asks for, and what this device gives at most. */
export function strictest(asked: ProgramLimits, most: ProgramLimits): ProgramLimits {
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const values = [asked[name], most[name]].filter((value) => value !== undefined);
      return values.length === 0 ? [] : [[name, Math.min(...values)]];
    }),
  );
}

/** Arguments of prlimit(1). A dead program leaves no core file: it could hold secrets, and fills disks. */
export const limitFlags = (limits: ProgramLimits): string[] => [
  '--core=0',
  ...NAMES.flatMap((name) => (limits[name] === undefined ? [] : [`${FLAGS[name]}=${limits[name]}`])),
];
