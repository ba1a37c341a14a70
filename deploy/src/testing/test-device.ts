import { readFileSync } from 'node:fs';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { callerEnvironment, Pm2 } from '@bowline/pm2';
import { afterThisFile, temporaryFolder } from '@bowline/testing';

const DEPLOY = resolve(import.meta.dirname, '../..');
const APPS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker', 'cli'];

/** What every stand-in does unless a test gives it other code: ready at once, gone when asked. */
const IDLE = `
  setInterval(() => {}, 60_000);
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.on(event, () => process.exit(0));
  process.send('ready');
`;

export interface TestDevice {
  pm2: Pm2;
  root: string;
  ecosystem: string;
  logs: string;
  /** Text of APP.log. */
  log(app: string): string;
}

/** A device in a temporary folder: our ecosystem file under a real pm2 of its own, small programs for the apps. */
export function testDevice(
  programs: Record<string, string>,
  env: Record<string, string | undefined> = process.env,
  own: Record<string, string> = {},
): TestDevice {
  const root = temporaryFolder();
  const logs = join(root, 'logs');
  for (const app of APPS) {
    mkdirSync(join(root, 'apps', app, 'dist'), { recursive: true });
    writeFileSync(join(root, 'apps', app, 'dist/main.js'), programs[app] ?? IDLE);
  }
  symlinkSync(process.execPath, join(root, 'runtime'));
  const ecosystem = join(root, 'ecosystem.config.cjs');
  for (const file of ['ecosystem.config.cjs', 'privileges.config.cjs'])
    cpSync(join(DEPLOY, file), join(root, file));
  const pm2 = new Pm2({
    home: join(root, 'pm2'),
    env: callerEnvironment(env, {
      BOWLINE_ROOT: root,
      BOWLINE_LOG_DIR: logs,
      BOWLINE_SINGLE_USER: '1',
      PM2_HOME: join(root, 'pm2'),
      ...own,
    }),
  });
  mkdirSync(logs);
  mkdirSync(join(root, 'pm2'), { mode: 0o700 });
  afterThisFile(async () => {
    if (await pm2.isRunning()) await pm2.kill();
  });
  return { pm2, root, ecosystem, logs, log: (app) => readFileSync(join(logs, `${app}.log`), 'utf8') };
}
