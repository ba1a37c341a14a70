import type { Server } from 'node:http';
import { hasCode } from '@bowline/runtime/errors';

/** Ends it: what is in work may end, idle connections are closed. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) =>
      error === undefined || hasCode(error, 'ERR_SERVER_NOT_RUNNING') ? resolve() : reject(error),
    );
    server.closeIdleConnections();
  });
}
