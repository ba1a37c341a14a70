import { describe, expect, test } from 'vitest';
import { processesOfRun, type ProcessFacts } from './processes-of-run.ts';

const RUN = { pid: 10, startTicks: 100, endedTicks: undefined };
const fact = (pid: number, change: Partial<ProcessFacts> = {}): ProcessFacts => ({
  pid,
  parent: 1,
  session: pid,
  startTicks: 100,
  marked: false,
  grouped: false,
  ...change,
});

describe('the processes of a run', () => {
  test('when a child has left session and parent, its mark or its group still tells', () => {
    expect(processesOfRun(RUN, [fact(20, { marked: true }), fact(21, { grouped: true }), fact(22)])).toEqual([
      20, 21,
    ]);
  });

  test('when a child threw its mark away, its session or its parent tells', () => {
    const all = [
      fact(10, { marked: true }),
      fact(20, { session: 10 }),
      fact(21, { parent: 20 }),
      fact(22, { parent: 21 }),
    ];
    expect(processesOfRun(RUN, all)).toEqual([10, 20, 21, 22]);
  });

  test('when the leader has ended, what began in its session before that counts, and what came after does not', () => {
    const all = [fact(20, { session: 10, startTicks: 150 }), fact(10, { session: 10, startTicks: 300 })];
    expect(processesOfRun({ ...RUN, endedTicks: 200 }, all)).toEqual([20]);
  });

  test('when nobody saw the leader end, a session of its number may be anybody’s', () => {
    expect(
      processesOfRun(RUN, [fact(10, { session: 10, startTicks: 300 }), fact(20, { session: 10 })]),
    ).toEqual([]);
  });
});
