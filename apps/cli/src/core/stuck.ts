/** What pm2 knows of one app at one moment. */
export interface Sighting {
  name: string;
  status: string;
  restarts: number;
  /** Whether its pid is that of a living process. */
  alive: boolean;
}

/**
 * The apps that pm2 will not start by itself any more. It loses one for good if it cannot open the log or start the program
 * at the moment of a restart (no disk, no memory, no file handles): the entry then stays `waiting restart`, `launching` or
 * `online` without a process, and `errored` after a kill that took too long. What a person stopped (`stopped`) stays so.
 *
 * @param earlier and `later` are further apart than pm2's longest delay before a restart (15 s) and `listen_timeout`.
 */
export function stuckApps(earlier: readonly Sighting[], later: readonly Sighting[]): string[] {
  return later
    .filter((now) => {
      const before = earlier.find(({ name }) => name === now.name);
      if (before === undefined || !looksStuck(before) || !looksStuck(now)) return false;
      return before.status === now.status && before.restarts === now.restarts;
    })
    .map(({ name }) => name);
}

/** Whether it is worth a second look. */
export const looksStuck = ({ status, alive }: Sighting): boolean =>
  status === 'errored' || (!alive && status !== 'stopped' && status !== 'stopping');
