/** Connects once and says what came of it: argv is its user, the folder, the app and the hub's user. */
import type { HubApp } from '@bowline/messages/hub/apps';
import { createLogger, systemClock } from '@bowline/runtime';
import { connectHub } from '../client.ts';
import { becomeUser, complaint, say } from './process-of-user.ts';

const [user = '', folder = '', app = '', owner = ''] = process.argv.slice(2);
becomeUser(Number(user));
const end = (what: string) => {
  say(what);
  process.exit();
};
try {
  const log = createLogger({ app, level: 'error' });
  const options = {
    folder,
    app: app as HubApp,
    owner,
    version: '0',
    orderTypes: [],
    log,
    clock: systemClock,
  };
  const client = connectHub(options);
  client.onRegistered(() => end('registered'));
  setInterval(() => {
    const why = client.lastError?.message ?? '';
    if (why !== '' && !why.endsWith('not connected yet')) end(why);
  }, 10);
} catch (error) {
  end(complaint(error));
}
