import { ConfigError } from '@bowline/runtime';

/**
 * Where a running device is, for whoever wants to talk to it: `.bowline/run.json` of the demo, `/etc/bowline/cli.json` of
 * a device. The server's three are there where operators work on the same machine, as in the demo.
 */
export interface Installation {
  runDir: string;
  /** Folder of the hub's sockets. */
  hubFolder: string;
  /** The gateway's user, a name or a number, if the CLI runs as another. */
  hubOwner?: string;
  pm2Home: string;
  /** Where the apps look for whom to trust (docs/signed-orders.md); `bowline enroll` writes it. */
  trustAnchorFile?: string;
  serverUrl?: string;
  consoleUrl?: string;
  operatorTokenFile?: string;
  deviceId?: string;
  /** The device's own policy, if it is not in /etc/bowline. */
  policyFile?: string;
  /** Folder of the apps' configuration, if it is not /etc/bowline. */
  configDir?: string;
  /** State folder of the ota-updater, if it is not in /var/lib/bowline. */
  updaterStateDir?: string;
  /** Likewise of the ssh-broker. */
  brokerStateDir?: string;
}

const REQUIRED = ['runDir', 'hubFolder', 'pm2Home'] as const;
const OPTIONAL = [
  'trustAnchorFile',
  'hubOwner',
  'serverUrl',
  'consoleUrl',
  'operatorTokenFile',
  'deviceId',
  'policyFile',
  'configDir',
  'updaterStateDir',
  'brokerStateDir',
] as const;

/**
 * @param file named in the error.
 * @throws ConfigError `installation-invalid`
 */
export function installationFrom(text: string, file: string): Installation {
  const fail = (why: string, cause?: unknown) =>
    new ConfigError('installation-invalid', `${file}: ${why}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail('is not JSON', error);
  }
  if (typeof value !== 'object' || value === null) throw fail('must be a JSON object');
  const fields = value as Record<string, unknown>;
  for (const name of [...REQUIRED, ...OPTIONAL]) {
    const field = fields[name];
    if (field === undefined && (OPTIONAL as readonly string[]).includes(name)) continue;
    if (typeof field !== 'string' || field === '') throw fail(`"${name}" must be a text`);
  }
  return value as Installation;
}
