import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

interface Locked {
  version?: string;
  integrity?: string;
  link?: boolean;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
  /** Of an alias: the package that it really is. */
  name?: string;
  hasInstallScript?: boolean;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(join(WORKSPACE, path), 'utf8'));
const { packages } = readJson('package-lock.json') as { packages: Record<string, Locked> };
const installed = Object.entries(packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);
const named = (name: string) => installed.filter(([path]) => path.endsWith(`node_modules/${name}`));

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

describe('node-ipc', () => {
  /** Of the tarball that was read and found harmless; six other versions carried malware. */
  const CHECKED = {
    version: '14.0.0',
    integrity:
      'sha512-d5+aogND4Gk6aQkW5KCibliM4Mn12+isHXt8wFghO4Bn0gBSnev3TXJWQ4eEnzrlh5gCG+nwQEZwyayeDtQxQA==',
  };

  test('when the lockfile is read, node-ipc is there once, in the version and content that was checked', () => {
    expect(named('node-ipc').map(([path]) => path)).toEqual(['node_modules/node-ipc']);
    expect(packages['node_modules/node-ipc']).toMatchObject(CHECKED);
  });

  test('when a package has another name, it is not node-ipc under an alias', () => {
    const aliased = installed.filter(
      ([path, { name, resolved = '', integrity }]) =>
        path !== 'node_modules/node-ipc' &&
        (name === 'node-ipc' || resolved.includes('/node-ipc/') || integrity === CHECKED.integrity),
    );
    expect(aliased.map(([path]) => path)).toEqual([]);
  });

  test('when node_modules is searched at any depth, node-ipc is there once, as checked', () => {
    const everywhere = globSync('{.,apps/*,libs/*,deploy,tools}/node_modules/**/node-ipc/package.json', {
      cwd: WORKSPACE,
    });
    expect(everywhere.map((path) => (readJson(path) as Locked).version)).toEqual([CHECKED.version]);
  });
});

test('when a dependency is declared, it is pinned to one version', () => {
  const manifests = [
    'package.json',
    ...globSync('{apps/*,libs/*,deploy,tools}/package.json', { cwd: WORKSPACE }),
  ];
  expect(manifests.length).toBeGreaterThan(10);
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies', 'overrides'];
  const loose = manifests.flatMap((path) => {
    const manifest = readJson(path) as Record<string, Record<string, string> | undefined>;
    return kinds
      .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
      .filter(([, range]) => !EXACT.test(range))
      .map(([name, range]) => `${path}: ${name} ${range}`);
  });
  expect(loose).toEqual([]);
});

test('when a package is locked, so is its content, and it comes from the registry', () => {
  expect(installed.length).toBeGreaterThan(100);
  const unsure = installed.filter(([, { integrity, resolved }]) => {
    const elsewhere = resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/');
    return !integrity?.startsWith('sha512-') || elsewhere;
  });
  expect(unsure.map(([path]) => path)).toEqual([]);
});

test.each(['x64', 'arm64'])(
  'when npm ci runs on linux %s, every native package has its binary in the lockfile',
  (arch) => {
    const forThis = new RegExp(`(linux-${arch}(-gnu|-glibc)?)$`);
    const families = installed.filter(([, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).some((name) => /linux-(x64|arm64)/.test(name)),
    );
    expect(families.length).toBeGreaterThan(5);
    const incomplete = families.filter(([, { optionalDependencies = {} }]) => {
      const wanted = Object.entries(optionalDependencies).filter(([name]) => forThis.test(name));
      const locked = wanted.filter(([name, version]) =>
        named(name).some(([, entry]) => entry.version === version),
      );
      return wanted.length === 0 || locked.length < wanted.length;
    });
    expect(incomplete.map(([path]) => path)).toEqual([]);
    expect(named(`node-linux-${arch}`)).toHaveLength(1);
  },
);

test('when a package brings an install script, it is one that was seen to work without it', () => {
  const known = ['esbuild', 'level', 'leveldown', 'lmdb', 'msgpackr-extract', 'nx'];
  const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  expect(scripted.toSorted()).toEqual(known.map((name) => `node_modules/${name}`));
});

test('when packages are installed, none of them may run a script', () => {
  expect(readFileSync(join(WORKSPACE, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
});
