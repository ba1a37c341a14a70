import { serveFolder, type TestServer } from '@bowline/releases/testing';
import { work } from '../worker.ts';

let server: TestServer | undefined;

/** The static file server, in a process of its own. */
work({
  async serve({ folder }: { folder: string }) {
    server = await serveFolder(folder);
    return server.url;
  },
  /** Bytes of bodies since the last question. */
  sent() {
    const bytes = server?.sentBytes ?? 0;
    if (server !== undefined) server.sentBytes = 0;
    return bytes;
  },
});
