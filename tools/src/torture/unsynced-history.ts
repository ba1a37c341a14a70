/**
 * The negative control of power cuts of the history, loaded into its writer by `node --import`: SQLite commits without sync. A
 * campaign that does not catch this proves nothing.
 */
import { registerHooks } from 'node:module';

const SYNCED = 'PRAGMA synchronous = FULL';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const source = loaded.source?.toString();
    if (url.includes('/node_modules/') || !source?.includes(SYNCED)) return loaded;
    return { ...loaded, source: source.replace(SYNCED, 'PRAGMA synchronous = OFF') };
  },
});
