/**
 * Bundles the page into `dist/`: index.html, main.js, style.css, favicon.svg. Everything it needs is inside; it runs under
 * `Content-Security-Policy: default-src 'self'`.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const source = import.meta.dirname;
const out = join(source, '../dist');

mkdirSync(out, { recursive: true });
await build({
  entryPoints: [join(source, 'main.tsx'), join(source, 'style.css')],
  outdir: out,
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: ['chrome123', 'firefox128', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
});
for (const file of ['index.html', 'favicon.svg']) copyFileSync(join(source, file), join(out, file));
