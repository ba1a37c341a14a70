/**
 * The negative control of power cuts, loaded into gateway or server by `node --import`: LMDB commits without sync. A
 * campaign that does not catch this proves nothing.
 */
import { registerHooks } from 'node:module';

const SYNCED = 'overlappingSync: false,';
/** Where the store already has a switch, its own line would win. */
const SWITCH = 'noSync: this.#options.noSync ?? false,';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const source = loaded.source?.toString();
    if (url.includes('/node_modules/') || !source?.includes(SYNCED)) return loaded;
    return { ...loaded, source: source.replace(SYNCED, `${SYNCED} noSync: true,`).replace(SWITCH, '') };
  },
});
