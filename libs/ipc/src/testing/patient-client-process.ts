/** `node patient-client-process.ts FOLDER`: waits for the hub with nothing else that keeps a process alive, then ends. */
import { systemClock, type Logger } from '@bowline/runtime';
import { connectHub } from '../client.ts';
import { silentLog } from './messages.ts';

const client = connectHub({
  folder: process.argv[2] ?? '',
  app: 'cli',
  version: '1',
  orderTypes: [],
  log: silentLog as unknown as Logger,
  clock: systemClock,
});
client.onRegistered(() => {
  process.stdout.write('registered\n');
  client.close();
});
process.stdout.write('waiting\n');
