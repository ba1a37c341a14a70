import { dirname, sep } from 'node:path';
import { IPCModule } from 'node-ipc';
import { createFrameParser } from './frame-parser.ts';
import type { IpcLimits } from './limits.ts';

export interface IpcModuleOptions {
  /** Of the socket. */
  path: string;
  limits: IpcLimits;
  /** Lets the group of the folder use the socket; the folder keeps all others out. */
  groupAccess: boolean;
}

/** Connections on one socket at a time; an app needs one, the CLI one for each that somebody runs. */
const MAX_CONNECTIONS = 16;

/**
 * An instance of node-ipc of our own, never the module's global one. Reconnecting is ours (it gives up for good after a
 * protocol error), as are folder and lock; it replaces a dead socket file, which is safe only under the hub's lock.
 */
export function newIpcModule({ path, limits, groupAccess }: IpcModuleOptions): IPCModule {
  const ipc = new IPCModule();
  Object.assign(ipc.config, {
    socketRoot: dirname(path) + sep,
    secureSocketRoot: !groupAccess,
    readableAll: groupAccess,
    writableAll: groupAccess,
    unlink: true,
    sync: false,
    silent: true,
    maxConnections: MAX_CONNECTIONS,
    maxRetries: 0,
    stopRetrying: true,
    parser: createFrameParser(limits),
  });
  return ipc;
}
