/**
 * Bundles the app in the current folder: `src/main.ts` → `dist/main.js`, one ES module that needs no node_modules, since
 * stripping types and loading many files costs each process start-up time and memory.
 *
 * Further entries (a child process, a worker) are named in the app's package.json: `"bundle": { "entries": ["src/scrub.ts"] }`.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const LMDB_PLATFORMS = ['linux-x64', 'linux-arm64'];

const appFolder = process.cwd();
const manifest = JSON.parse(readFileSync(join(appFolder, 'package.json'), 'utf8')) as {
  bundle?: { entries?: string[] };
};
const entries = ['src/main.ts', ...(manifest.bundle?.entries ?? [])];
const outFolder = resolve('dist');

/**
 * lmdb looks for its addon beside its own code, but leaves a last folder `dist` out of that path. Bundled into our `dist`
 * it would look one folder too high.
 */
let lmdbLoader: string | undefined;
const lmdbBesideBundle: Plugin = {
  name: 'lmdb-beside-bundle',
  setup({ onLoad }) {
    onLoad({ filter: /\/lmdb\/native\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const contents = source.replace(".replace(/dist$/, '')", '');
      if (contents === source)
        throw new Error(`${path}: the place where lmdb finds its addon is not where it was`);
      lmdbLoader = path;
      return { contents, loader: 'js' };
    });
  },
};

/**
 * lmdb's codec of keys evaluates code that names its variable `position`. As an ES module it would lose that name to lmdb's own
 * `position` when all files become one scope, and every text key would be read wrongly; as CommonJS it keeps its scope.
 */
const codecInItsScope: Plugin = {
  name: 'codec-in-its-scope',
  setup({ onResolve }) {
    onResolve({ filter: /^ordered-binary(\/index\.js)?$/ }, ({ path, importer }) => ({
      path: createRequire(importer).resolve(path),
    }));
  },
};

for (const entry of entries)
  rmSync(join(outFolder, basename(entry).replace(/\.ts$/, '.js')), { force: true });
await build({
  entryPoints: entries,
  outdir: outFolder,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: true,
  legalComments: 'linked',
  logLevel: 'warning',
  plugins: [lmdbBesideBundle, codecInItsScope],
  // CommonJS dependencies call `require` for Node's own modules; an ES module has none.
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
  },
});
if (lmdbLoader !== undefined) copyAddons(lmdbLoader);

/** Puts lmdb's prebuilt addons into `dist/prebuilds`, for each platform that is installed here. */
function copyAddons(loader: string): void {
  const requireFromLmdb = createRequire(loader);
  let copied = 0;
  for (const platform of LMDB_PLATFORMS) {
    const target = join(outFolder, 'prebuilds', platform);
    rmSync(target, { recursive: true, force: true });
    const source = installedFolder(requireFromLmdb, `@lmdb/lmdb-${platform}`);
    if (source === undefined) continue;
    mkdirSync(target, { recursive: true });
    for (const libc of ['glibc', 'musl']) {
      const addon = join(source, `node.napi.${libc}.node`);
      if (existsSync(addon)) cpSync(addon, join(target, basename(addon)));
    }
    copied += 1;
  }
  if (copied === 0) throw new Error('no addon of lmdb is installed for any platform; run npm ci');
}

function installedFolder(requireFrom: NodeJS.Require, name: string): string | undefined {
  try {
    return dirname(requireFrom.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
