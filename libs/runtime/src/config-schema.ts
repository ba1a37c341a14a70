import { isTree, type Tree } from './tree.ts';
import { suggest } from './suggest.ts';

/** What we read of the JSON Schema of an app's configuration; the rest of it is the compiled validator's. */
export interface ConfigSchema {
  properties?: Readonly<Record<string, ConfigSchema>>;
  additionalProperties?: boolean | ConfigSchema;
  patternProperties?: Readonly<Record<string, ConfigSchema>>;
  items?: ConfigSchema;
  anyOf?: readonly ConfigSchema[];
  description?: string;
  unit?: string;
  /** Never from the cloud: it names a program, path, user, listener, key, trust anchor or host. */
  localOnly?: boolean;
  /** Takes effect when the app starts: it restarts itself in good order. */
  restart?: boolean;
  /** Carries the link to the cloud: a change is tried, and kept only once a new link stands (docs/configuration.md). */
  carriesLink?: boolean;
}

/** What is wrong with one key. */
export interface ConfigFault {
  /** `link.backoffBaseMs`; empty: the whole. */
  key: string;
  message: string;
}

const UNKNOWN = 'unknown key';

/** All faults in one line, for people. */
export const sentenceOf = (faults: readonly ConfigFault[]): string =>
  faults
    .map(({ key, message }) => {
      if (message.startsWith(UNKNOWN)) return `${UNKNOWN} "${key}"${message.slice(UNKNOWN.length)}`;
      return `${key === '' ? 'it' : `"${key}"`} ${message}`;
    })
    .join('; ');

/** A key of the schema, and what holds for it: flags count for everything below the key that has them. */
export interface ConfigKey {
  schema: ConfigSchema;
  localOnly: boolean;
  restart: boolean;
  carriesLink: boolean;
}

const flagsOf = (schema: ConfigSchema, above?: ConfigKey): ConfigKey => ({
  schema,
  localOnly: above?.localOnly === true || schema.localOnly === true,
  restart: above?.restart === true || schema.restart === true,
  carriesLink: above?.carriesLink === true || schema.carriesLink === true,
});

/** Undefined if the schema does not know the key. */
export function findKey(schema: ConfigSchema, path: readonly string[]): ConfigKey | undefined {
  let found: ConfigKey = flagsOf(schema);
  for (const name of path) {
    const below = memberOf(found.schema, name);
    if (below === undefined) return undefined;
    found = flagsOf(below, found);
  }
  return found;
}

function memberOf(schema: ConfigSchema, name: string): ConfigSchema | undefined {
  const { properties = {}, patternProperties = {}, additionalProperties, anyOf = [] } = schema;
  if (Object.hasOwn(properties, name)) return properties[name];
  for (const [pattern, below] of Object.entries(patternProperties)) {
    if (new RegExp(pattern, 'u').test(name)) return below;
  }
  if (typeof additionalProperties === 'object') return additionalProperties;
  for (const choice of anyOf) {
    const below = memberOf(choice, name);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** What the cloud may not say: keys that the schema does not know, and those that only the device's owner sets. */
export function judgeSection(schema: ConfigSchema, section: Tree): ConfigFault[] {
  return judgeTree(flagsOf(schema), section, []);
}

function judgeTree(key: ConfigKey, tree: Tree, path: readonly string[]): ConfigFault[] {
  return Object.entries(tree).flatMap(([name, value]) => {
    const here = [...path, name];
    const below = memberOf(key.schema, name);
    if (below === undefined) return [unknownKey(key.schema, here)];
    const found = flagsOf(below, key);
    if (found.localOnly) return [{ key: here.join('.'), message: 'may only be set on the device itself' }];
    return judgeValue(found, value, here);
  });
}

function judgeValue(key: ConfigKey, value: unknown, path: readonly string[]): ConfigFault[] {
  if (isTree(value)) return judgeTree(key, value, path);
  const { items } = key.schema;
  if (!Array.isArray(value) || items === undefined) return [];
  return value.flatMap((each, index) => judgeValue(flagsOf(items, key), each, [...path, String(index)]));
}

/** Names the key that was probably meant. */
export function unknownKey(schema: ConfigSchema, path: readonly string[]): ConfigFault {
  const known = Object.keys(schema.properties ?? {});
  const meant = suggest(path.at(-1) ?? '', known);
  const above = path.slice(0, -1);
  return {
    key: path.join('.'),
    message: `${UNKNOWN}${meant === undefined ? '' : `: did you mean "${[...above, meant].join('.')}"?`}`,
  };
}

/** Every key that holds a value, with its path: what is below an object, but for lists and empty objects. */
export function leavesOf(tree: Tree, path: readonly string[] = []): { path: string[]; value: unknown }[] {
  return Object.entries(tree).flatMap(([name, value]) => {
    const here = [...path, name];
    return isTree(value) && Object.keys(value).length > 0 ? leavesOf(value, here) : [{ path: here, value }];
  });
}

/** Paths of the leaves that two configurations do not share. */
export function changedKeys(before: Tree, after: Tree): string[][] {
  const texts = (tree: Tree) =>
    new Map(leavesOf(tree).map(({ path, value }) => [JSON.stringify(path), JSON.stringify(value)]));
  const [old, now] = [texts(before), texts(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => old.get(path) !== now.get(path))
    .map((path) => JSON.parse(path) as string[]);
}
