/** A hub in a process of its own: argv is its user, its folder and the folder of the apps' folders. */
import { join } from 'node:path';
import { HUB_APPS } from '@bowline/messages/hub/apps';
import { createLogger, systemClock } from '@bowline/runtime';
import { openHub } from '../hub.ts';
import { becomeUser, complaint, say } from './process-of-user.ts';

const [user = '', folder = '', sockets = ''] = process.argv.slice(2);
becomeUser(Number(user));
const log = createLogger({ app: 'hub', level: 'error' });
try {
  const appFolders = Object.fromEntries(HUB_APPS.map((app) => [app, join(sockets, app)]));
  const hub = await openHub({ folder, folderMode: 0o750, appFolders, log, clock: systemClock });
  hub.handle('register', () => ({ bootId: 'b', link: 'offline' }));
  say('open');
} catch (error) {
  say(complaint(error));
}
