import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PM2_SCRIPT } from '@bowline/pm2';
import { writeFileDurably } from '@bowline/runtime';
import type { DemoLayout } from './layout.ts';

/** Where Debian has programs for administrators; a person's PATH often lacks them. */
const ADMINISTRATORS = ['/usr/sbin', '/sbin'];

const isInstalled = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(':'), ...ADMINISTRATORS].some((folder) =>
    existsSync(join(folder, program)),
  );

/**
 * Fills in deploy/logrotate's template for this demo. On a device the system's own timer calls logrotate.
 *
 * @returns the configuration, or undefined where logrotate is not installed.
 */
export function writeLogRotation(layout: DemoLayout): string | undefined {
  if (!isInstalled('logrotate')) return undefined;
  const template = readFileSync(
    join(layout.checkout, 'deploy', 'logrotate', 'bowline.conf.template'),
    'utf8',
  );
  const values: Record<string, string> = {
    LOG_DIR: layout.logDir,
    PM2_HOME: layout.pm2Home,
    RUNTIME: layout.runtime,
    PM2: PM2_SCRIPT,
  };
  const file = join(layout.home, 'logrotate.conf');
  writeFileDurably(
    file,
    template.replace(/@([A-Z0-9_]+)@/g, (whole, name: string) => values[name] ?? whole),
  );
  return file;
}
