import { expect, test } from 'vitest';
import type { Project } from '../test/nx.ts';
import { boundaryBreaches } from './boundaries.ts';

const project = (name: string, type: string, scope: string, dependencies: string[] = []): Project => ({
  name: `@bowline/${name}`,
  root: name,
  tags: [`type:${type}`, `scope:${scope}`],
  targets: [],
  dependencies: dependencies.map((dependency) => `@bowline/${dependency}`),
});

const gateway = project('ws-gateway', 'app', 'device');
const server = project('fleet-server', 'app', 'cloud');
const ipc = project('ipc', 'lib', 'device');
const serverSdk = project('server-sdk', 'lib', 'cloud');
const runtime = project('runtime', 'lib', 'shared');
const others = [gateway, server, ipc, serverSdk, runtime];
const breachesOf = (one: Project) =>
  boundaryBreaches([...others.filter(({ name }) => name !== one.name), one]);

test('when an app depends on libs of its scope and on shared ones, nothing is wrong', () => {
  expect(breachesOf(project('cli', 'app', 'device', ['ipc', 'runtime']))).toEqual([]);
});

test.each([
  ['an app depends on an app', project('cli', 'app', 'device', ['ws-gateway']), 'depends on libs only'],
  ['a lib depends on an app', project('messages', 'lib', 'shared', ['fleet-server']), 'depends on libs only'],
  ['a tool depends on an app', project('tools', 'tool', 'device', ['ws-gateway']), 'does not import them'],
  [
    'a device app depends on a cloud lib',
    project('cli', 'app', 'device', ['server-sdk']),
    'reach into scope:cloud',
  ],
  [
    'a cloud app depends on a device lib',
    project('fleet-server', 'app', 'cloud', ['ipc']),
    'reach into scope:device',
  ],
  [
    'a shared lib depends on a device lib',
    project('identity', 'lib', 'shared', ['ipc']),
    'reach into scope:device',
  ],
  [
    'a low lib depends on a high one',
    project('durable-queue', 'lib', 'device', ['ipc']),
    'its layer stands on',
  ],
  [
    'a lib has no row in the table',
    project('brand-new', 'lib', 'shared', ['runtime']),
    'no row in the table',
  ],
])('when %s, that is a breach', (_case, breaking, why) => {
  expect(breachesOf(breaking).join('\n')).toContain(why);
});

test('when a package lacks a tag or has two of a kind, that is a breach', () => {
  const tags = ['type:lib', 'scope:shared', 'scope:cloud'];
  expect(boundaryBreaches([{ ...runtime, tags }])).toEqual([expect.stringContaining('scope:')]);
  expect(boundaryBreaches([{ ...runtime, tags: [] }])).toHaveLength(2);
});
