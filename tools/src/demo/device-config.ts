import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DEVICE_APPS } from '@bowline/pm2';
import { writeFileDurably } from '@bowline/runtime';
import { DEMO_GROUP, DEVICE_ID, type DemoLayout } from './layout.ts';

/** Where the gateway keeps its enrolment; a device that has one needs no token any more. */
const ENROLMENT = 'enrolment.json';

/** What the demo's server may ask of the demo's device. Written once: whoever changes it keeps the change. */
const POLICY = {
  commands: { ping: {}, listCommands: {}, collectDiagnostics: {} },
  // Of use only to whoever has an update key in the trust bundle (docs/releases.md).
  updates: { channels: ['stable'] },
  // Of use only to whoever has an access key in the trust bundle (docs/ssh.md).
  ssh: {
    users: [userInfo().username],
    maxSeconds: 3600,
    capabilities: ['pty', 'exec', 'sftp', 'local-forward', 'remote-forward'],
  },
};

export const isEnrolled = (layout: DemoLayout): boolean =>
  existsSync(join(layout.stateDir, 'ws-gateway', ENROLMENT));

/** Writes `device/config/APP.json` of each app, and the one-time token if there is one. */
export async function writeDeviceConfig(
  layout: DemoLayout,
  server: string,
  token: string | undefined,
): Promise<void> {
  const tokenFile = join(layout.stateDir, 'ws-gateway', 'enrolment-token');
  if (token !== undefined) writeFileDurably(tokenFile, `${token}\n`, 0o600);
  const policyFile = join(layout.configDir, 'policy.json');
  if (!existsSync(policyFile)) writeJson(policyFile, POLICY);
  // On a device both files belong to root; whom to trust is what the token of the enrolment says.
  const trustAnchorFile = join(layout.configDir, 'trust-anchor.json');
  if (token !== undefined) {
    // Needs what the build generates, which is not there yet when this file is loaded.
    const { parseEnrolmentToken, writeTrustAnchor } = await import('@bowline/identity');
    const { rootThumbprint } = parseEnrolmentToken(token);
    writeTrustAnchor(trustAnchorFile, { rootThumbprint, deviceId: DEVICE_ID, groups: [DEMO_GROUP] });
  }
  const judges = { policyFile, trustAnchorFile };
  const own: Record<string, object> = {
    // The address stands here too: a later start may have another port than the one told at enrolment.
    'ws-gateway': {
      enrolment: { server, tokenFile },
      link: { allowInsecure: true, url: `${server.replace(/^http/, 'ws')}/v1/devices/${DEVICE_ID}/link` },
    },
    // What it starts runs as the one user of the demo, as everything does.
    'command-executor': {
      ...judges,
      commandsFolder: join(layout.configDir, 'commands'),
      modulesFolder: join(layout.configDir, 'command-modules'),
      configFolder: layout.configDir,
      logFolder: layout.logDir,
      pm2Home: layout.pm2Home,
      programUser: userInfo().username,
      commandSocket: { path: join(layout.runDir, 'commands', 'commands.sock') },
    },
    // The demo's server has a repository of releases, too; its pm2 runs what they bring.
    'ota-updater': {
      ...judges,
      releasesDir: join(layout.home, 'device', 'releases'),
      pm2Home: layout.pm2Home,
      supply: { mirrors: [`${server}/releases/`], allowInsecure: true },
      // Somebody looks on: a trial of a quarter of a minute, not of one and a half.
      trial: { graceMs: 5_000, soakMs: 10_000 },
    },
    'ssh-broker': judges,
    // A device spares its flash and its line; somebody who looks at a chart does not want to wait.
    'telemetry-collector': {
      logDir: layout.logDir,
      telemetry: { commitMs: 1000 },
      history: { commitMs: 1000 },
      ingest: { socket: join(layout.runDir, 'ingest', 'ingest.sock') },
      series: { cpu: { intervalMs: 1000 }, memory: { intervalMs: 2000 }, network: { intervalMs: 2000 } },
    },
  };
  for (const app of DEVICE_APPS) {
    const common = { stateDir: join(layout.stateDir, app), hubFolder: layout.hubFolder };
    writeJson(join(layout.configDir, `${app}.json`), { ...common, ...own[app] });
  }
}

/** The reference server's own configuration; it writes `infoFile` when it listens. */
export function writeServerConfig(layout: DemoLayout, port: number, infoFile: string): void {
  writeJson(join(layout.configDir, 'fleet-server.json'), {
    stateDir: layout.serverDir,
    listen: { host: '127.0.0.1', port },
    consoleDir: join(layout.checkout, 'apps', 'fleet-console', 'dist'),
    releasesDir: join(layout.serverDir, 'releases'),
    infoFile,
  });
}

/** Folders that only this user can enter: state, tokens and logs are nobody else's. */
export function makeFolders(layout: DemoLayout): void {
  for (const folder of [layout.home, layout.configDir, layout.stateDir, layout.logDir, layout.serverDir]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  chmodSync(layout.home, 0o700);
}

const writeJson = (file: string, value: object): void =>
  writeFileDurably(file, `${JSON.stringify(value, null, 2)}\n`);
