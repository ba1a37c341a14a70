import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

/** What a newcomer sees first. Everything else has its place below one of these. */
const TOP_LEVEL = [
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'apps',
  'deploy',
  'docs',
  'libs',
  'nx.json',
  'package-lock.json',
  'package.json',
  'tools',
  'tsconfig.base.json',
];
const NOT_KEPT = ['node_modules'];

test('when the top level is listed, it holds exactly what was agreed, besides dotfiles', () => {
  const seen = readdirSync(WORKSPACE).filter((name) => !name.startsWith('.') && !NOT_KEPT.includes(name));
  expect(seen.toSorted()).toEqual(TOP_LEVEL);
});

test('when Nx is configured, it reports to nobody and leaves no process behind', () => {
  const settings: unknown = JSON.parse(readFileSync(join(WORKSPACE, 'nx.json'), 'utf8'));
  expect(settings).toMatchObject({ analytics: false, neverConnectToCloud: true, useDaemonProcess: false });
  expect(settings).not.toHaveProperty('nxCloudId');
  expect(settings).not.toHaveProperty('nxCloudAccessToken');
});
