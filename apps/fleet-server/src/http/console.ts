import { existsSync } from 'node:fs';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** The page loads nothing from elsewhere, runs no script but its own, and cannot be framed. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'x-frame-options': 'DENY',
} as const;

/** `GET /`: the files of the operators' console. Without them the API works all the same. @returns whether there are any. */
export async function serveConsole(http: FastifyInstance, folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false;
  await http.register(async (files) => {
    // Nothing in them is secret: who has not signed in gets the form.
    files.addHook(
      'onRoute',
      (route) => void (route.config = { ...route.config, access: { role: 'anyone' } }),
    );
    await files.register(fastifyStatic, {
      root: folder,
      dotfiles: 'ignore',
      globIgnore: ['**/*.map', '**/*.d.ts', '**/*.tsbuildinfo'],
      wildcard: false,
      cacheControl: false,
      setHeaders: (reply) => void reply.header('cache-control', 'no-cache'),
    });
  });
  return true;
}
