import { writeFileSync } from 'node:fs';
import Table from 'cli-table3';
import type { Machine } from './machine.ts';
import type { Row } from './row.ts';

/** What a run of a benchmark found. */
export interface Result {
  name: string;
  seed: number;
  machine: Machine;
  rows: readonly Row[];
}

/** The table for people. */
export function table({ name, seed, machine, rows }: Result): string {
  const lines = new Table({
    head: ['metric', 'value', 'unit', 'goal', ''],
    style: { head: [], border: [], compact: true },
  });
  for (const { metric, value, unit, goal, holds } of rows) {
    lines.push([
      metric,
      { content: value === null ? '—' : value.toLocaleString('en'), hAlign: 'right' },
      unit,
      goal ?? '',
      holds === null ? '' : holds ? 'holds' : 'MISSED',
    ]);
  }
  const { cpu, cores, memoryMiB, kernel, fileSystem, versions } = machine;
  const notes = rows.flatMap(({ metric, note }) => (note === undefined ? [] : [`  ${metric}: ${note}`]));
  return [
    `bench ${name}, seed ${seed}`,
    `${cores} × ${cpu}, ${memoryMiB} MiB, Linux ${kernel}, state on ${fileSystem}`,
    Object.entries(versions)
      .map(([what, version]) => `${what} ${version}`)
      .join(', '),
    lines.toString(),
    ...notes,
  ].join('\n');
}

/** An array of rows; each says where it was measured, so a row that is cut out still does. */
export function writeJson(file: string, { name, seed, machine, rows }: Result): void {
  const lines = rows.map((row) => ({ ...row, bench: name, seed, machine }));
  writeFileSync(file, `${JSON.stringify(lines, null, 2)}\n`);
}
