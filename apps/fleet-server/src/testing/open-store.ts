import { createLogger, systemClock } from '@bowline/runtime';
import { openStore } from '../store/open-store.ts';

/** Opens the store of a state folder in a process of its own, which a test kills meanwhile. */
const [stateDir = ''] = process.argv.slice(2);
const { store } = await openStore({
  stateDir,
  commitDeadlineMs: 30_000,
  compaction: { smallestFile: 2 ** 30, largestContent: 2 ** 30 },
  clock: systemClock,
  log: createLogger({ app: 'fleet-server' }),
});
await store.close();
