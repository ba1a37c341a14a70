import type { Installation } from '@bowline/pm2';

/** What every command is handed: where it runs, and how it is to speak. */
export interface Context {
  version: string;
  json: boolean;
  env: Readonly<Record<string, string | undefined>>;
  /** The program that ssh starts for each connection. */
  sshProxy: string;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** @throws CliError `no-installation` */
  installation(): Installation;
}
