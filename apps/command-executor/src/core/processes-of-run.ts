/** One process, as /proc shows it. */
export interface ProcessFacts {
  pid: number;
  parent: number;
  /** Id of its session (setsid(2)). */
  session: number;
  /** Ticks since boot, when it began: with the pid, which process it is. */
  startTicks: number;
  /** Its environment names the run. */
  marked: boolean;
  /** In the run's own control group. */
  grouped: boolean;
}

/** What is known of a run whose processes are looked for. */
export interface RunFacts {
  /** Its first process, which leads a session. */
  pid: number;
  startTicks: number;
  /** When that one was seen to have ended, ticks since boot; undefined while it runs, or if nobody saw it. */
  endedTicks: number | undefined;
}

/**
 * Every process that a run has started: by its mark or group, which are inherited whatever a process does to its session; by
 * its session, for those that threw the mark away; and whatever descends from any of these.
 *
 * A session's number can be used again once the session is gone: it counts only as long as its leader is known to run, and for
 * what began before the leader ended.
 */
export function processesOfRun(run: RunFacts, all: readonly ProcessFacts[]): number[] {
  const leaderRuns = all.some(({ pid, startTicks }) => pid === run.pid && startTicks === run.startTicks);
  const inSession = ({ session, startTicks }: ProcessFacts) =>
    session === run.pid && (leaderRuns || (run.endedTicks !== undefined && startTicks <= run.endedTicks));
  const found = new Set(
    all.filter((each) => each.marked || each.grouped || inSession(each)).map(({ pid }) => pid),
  );
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}
