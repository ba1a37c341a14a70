import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ConfigSchema } from '@bowline/runtime';
import { expect, test } from 'vitest';
import { WORKSPACE } from '../test/run.ts';

/** Last words of a key that names what the cloud may never choose: a program, path, user, listener, key, trust anchor or host. */
const NAMES_ONE =
  /(dir|folder|file|path|program|command|script|executable|interpreter|shell|user|owner|group|listen|listener|port|socket|bind|interface|address|host|hostname|origin|url|uri|server|endpoint|proxy|upstream|key|root|anchor|ca|cert|certificate|token|secret|password|insecure|tls)s?$/i;

/** Keys that only sound like it; `APP KEY` with the reason. */
const HARMLESS: Record<string, string> = {};

/** Apps of a device: fleet-server, signer and the console are no business of the cloud's. */
const APPS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker'];

async function schemaOf(app: string): Promise<ConfigSchema> {
  const file = pathToFileURL(join(WORKSPACE, 'apps', app, 'src/schemas.ts')).href;
  const { schemas } = (await import(file)) as { schemas: Record<string, Record<string, ConfigSchema>> };
  const schema = schemas['config']?.['config'];
  if (schema === undefined) throw new Error(`${app} has no schema of its configuration`);
  return schema;
}

interface Key {
  path: string[];
  localOnly: boolean;
}

/** Every key that a schema knows; `*` stands for any name of a map. What lies below a key that is marked is marked. */
function keysOf(schema: ConfigSchema, above: Key = { path: [], localOnly: false }): Key[] {
  const { properties = {}, patternProperties = {}, additionalProperties, items, anyOf = [] } = schema;
  const members = [
    ...Object.entries(properties),
    ...Object.values(patternProperties).map((each) => ['*', each] as const),
    ...(typeof additionalProperties === 'object' ? [['*', additionalProperties] as const] : []),
  ];
  return [
    ...members.flatMap(([name, each]) => {
      const key = { path: [...above.path, name], localOnly: above.localOnly || each.localOnly === true };
      return [key, ...keysOf(each, key)];
    }),
    ...[...(items === undefined ? [] : [items]), ...anyOf].flatMap((each) => keysOf(each, above)),
  ];
}

/** Keys that name what the cloud may never choose, and are not marked. */
const leftOpen = (schema: ConfigSchema): string[] =>
  keysOf(schema)
    .filter(
      ({ path, localOnly }) => !localOnly && NAMES_ONE.test(path.filter((name) => name !== '*').at(-1) ?? ''),
    )
    .map(({ path }) => path.join('.'));

test('when a device is configured, the list of its apps is complete', () => {
  const configured = readdirSync(join(WORKSPACE, 'apps')).filter((app) =>
    existsSync(join(WORKSPACE, 'apps', app, 'src/config.ts')),
  );
  expect(configured.filter((app) => !['fleet-server', 'signer'].includes(app)).toSorted()).toEqual(
    APPS.toSorted(),
  );
});

test.each(APPS)(
  'when a key of %s names a program, path, user, listener, key, anchor or host, it is localOnly',
  async (app) => {
    const schema = await schemaOf(app);
    expect(keysOf(schema).length).toBeGreaterThan(3);
    expect(leftOpen(schema).filter((key) => HARMLESS[`${app} ${key}`] === undefined)).toEqual([]);
  },
);

test('when a key is left open that names a program or a path, the check finds it', () => {
  const jobs: ConfigSchema = { items: { properties: { program: {}, every: {} } } };
  const rooms: ConfigSchema = { patternProperties: { '^.*$': { properties: { logFile: {} } } } };
  const closed: ConfigSchema = { properties: { keys: { properties: { hostKey: {} }, localOnly: true } } };
  expect(leftOpen({ properties: { jobs, rooms, closed } })).toEqual(['jobs.program', 'rooms.*.logFile']);
});
