/** What the device's own policy says about commands; made anew for each order (adapters/command-policy.ts). */
export interface CommandPolicy {
  /** Where the rules stand: a file's path, or the built-in default. */
  source: string;
  /** Why the file that there is cannot be used; the default is in force then. */
  fault?: string;
  isAllowed(name: string): boolean;
  needsSignature(name: string): boolean;
  /** The most time that it gives a command, if it says so, milliseconds. */
  longestTimeoutMs(name: string): number | undefined;
  /** The rule that is against it, whatever its params are; undefined if it may run. */
  judge(wanted: WantedCommand): { code: string; message: string } | undefined;
  /** The rule that is against these params. */
  judgeParams(wanted: WantedParams): { code: string; message: string } | undefined;
}

export interface WantedCommand {
  name: string;
  timeoutMs: number | undefined;
  /** A signature by a command key was checked. */
  signed: boolean;
}

export interface WantedParams {
  name: string;
  params: Record<string, unknown>;
  /** System user that its program would run as, if not the default one. */
  user: string | undefined;
}
