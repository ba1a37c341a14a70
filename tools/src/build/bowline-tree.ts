/**
 * Lays out Bowline as it lies on a device, from what `npm run build` made: `npm run tree -- FOLDER`. The folder is what
 * `bowline release build --kind self` takes, and what an image has in /opt/bowline. `--runtime` puts this machine's pinned Node
 * into it; without it a slot runs on the Node of the image.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { DEVICE_APPS } from '@bowline/pm2';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
const DEPLOY = [
  'README.md',
  'config',
  'data-formats.json',
  'dist',
  'ecosystem.config.cjs',
  'install',
  'launcher',
  'logrotate',
  'nftables',
  'privileges.config.cjs',
  'systemd',
  'sysusers.conf',
  'tmpfiles.conf',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: 'boolean', default: false } },
});
const [folder] = positionals;
if (folder === undefined || existsSync(folder)) {
  console.error('Usage: npm run tree -- [--runtime] FOLDER, a folder that is not there yet');
  process.exit(2);
}
const copy = (from: string, to: string) => {
  mkdirSync(dirname(join(folder, to)), { recursive: true });
  cpSync(join(CHECKOUT, from), join(folder, to), { recursive: true, filter: isOfTheDevice });
};
for (const app of [...DEVICE_APPS, 'cli']) copy(`apps/${app}/dist`, `apps/${app}/dist`);
for (const part of DEPLOY) copy(`deploy/${part}`, `deploy/${part}`);
copy('LICENSE', 'LICENSE');
for (const part of packagesOf(join(CHECKOUT, 'node_modules', 'pm2'))) copy(part, part);
if (values.runtime) cpSync(realpathSync(process.execPath), join(folder, 'runtime'));

/** Types, notes of the compiler and links to command lines are no part of a device. */
function isOfTheDevice(path: string): boolean {
  if (path.endsWith(`${sep}.bin`)) return false;
  const [, below] = path.split(`${sep}dist${sep}`);
  return below === undefined || !/^(types|tsconfig\.tsbuildinfo)/.test(below);
}

/** A package and all that it needs, as folders of the checkout, each where Node finds it. */
function packagesOf(top: string): string[] {
  const found = new Set<string>();
  const add = (folderOf: string) => {
    const name = folderOf.slice(CHECKOUT.length + 1);
    if (found.has(name)) return;
    found.add(name);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(folderOf, 'package.json'), 'utf8'),
    ) as Record<'dependencies' | 'optionalDependencies', Record<string, string> | undefined>;
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const place = find(each, folderOf);
      if (place !== undefined) add(place);
      else if (each in dependencies && !(each in optionalDependencies))
        throw new Error(`${name} needs ${each}, which is not installed: npm ci`);
    }
  };
  add(top);
  // A package's own node_modules comes along with it.
  return [...found].filter((name) => ![...found].some((other) => name.startsWith(`${other}${sep}`)));
}

function find(name: string, from: string): string | undefined {
  for (let folderOf = from; folderOf.startsWith(CHECKOUT); folderOf = dirname(folderOf)) {
    const place = join(folderOf, 'node_modules', name);
    if (existsSync(join(place, 'package.json'))) return place;
  }
  return undefined;
}
