import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** What a device may ask for (docs/releases.md); drafts and anything else in the folder are not served. */
const SERVED = /^\/(metadata|targets|blobs)\//;
/** Named by their content or their version: they never change. */
const LASTING = /\/(targets|blobs)\/|\/[0-9]+\.(root|snapshot|targets)\.json$/;
const YEAR_SECONDS = 31_536_000;

/**
 * `GET /releases/…`: a repository of releases, for devices. Nothing in it is secret and all of it is signed, so nobody is asked
 * who he is; any other static file server does the same.
 */
export async function serveReleases(http: FastifyInstance, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await http.register(async (files) => {
    files.addHook(
      'onRoute',
      (route) => void (route.config = { ...route.config, access: { role: 'anyone' } }),
    );
    await files.register(fastifyStatic, {
      root: folder,
      prefix: '/releases/',
      decorateReply: false,
      dotfiles: 'ignore',
      index: false,
      allowedPath: (path) => SERVED.test(path),
      cacheControl: false,
      setHeaders: (reply, path) => {
        const lasting = LASTING.test(path.slice(join(folder).length));
        reply.header('cache-control', lasting ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache');
      },
    });
  });
}
