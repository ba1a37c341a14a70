import { cpSync, readFileSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { temporaryFolder } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';

const LEFT_OUT = new Set(['node_modules', '.git', '.nx', '.bowline', 'dist', 'generated', 'reports']);

/** A copy of this workspace's sources that a test may spoil, with the packages that are installed here. */
export function copyWorkspace(): string {
  const copy = join(temporaryFolder(), 'workspace');
  cpSync(WORKSPACE, copy, {
    recursive: true,
    filter: (path) => path === WORKSPACE || !LEFT_OUT.has(basename(path)),
  });
  symlinkSync(join(WORKSPACE, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

export function writeInto(workspace: string, path: string, text: string): void {
  const file = join(workspace, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

interface Manifest {
  dependencies?: Record<string, string>;
}

/** Adds a dependency to a package.json of the copy. */
export function addDependency(workspace: string, packageFolder: string, name: string, version: string): void {
  const path = join(packageFolder, 'package.json');
  const manifest = JSON.parse(readFileSync(join(workspace, path), 'utf8')) as Manifest;
  const dependencies = { ...manifest.dependencies, [name]: version };
  writeInto(workspace, path, JSON.stringify({ ...manifest, dependencies }));
}
