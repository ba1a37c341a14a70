/**
 * Bundles the page into `dist/`, or the folder that is named: index.html, main.js, style.css, favicon.svg. Everything that it
 * needs is inside; it runs under the strict policy of fleet-server.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const source = import.meta.dirname;
const out = resolve(process.argv[2] ?? join(source, '../dist'));

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
