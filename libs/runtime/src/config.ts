import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { ConfigError, hasCode } from './errors.ts';

/** Where the parts of a configuration come from: defaults (in the schema) < file < environment < flags. */
export interface ConfigSources {
  /** Name of the app: environment variables are `BOWLINE_<APP>__KEY__SUBKEY`. */
  app: string;
  /** Arguments without interpreter and script: `--config FILE`, `--key.subkey=value` or `--key.subkey value`; `--some-key` is `--someKey`. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig<T> {
  config: Readonly<T>;
  /** The file that was read, to be watched; undefined if none was named. */
  file: string | undefined;
}

type Tree = { [key: string]: unknown };

/** The file that {@link loadConfig} would read: `--config FILE`, else `BOWLINE_CONFIG`. */
export function configFile({ args, env }: Pick<ConfigSources, 'args' | 'env'>): string | undefined {
  const index = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  if (index < 0) return env['BOWLINE_CONFIG'];
  const arg = args[index] ?? '';
  return arg.includes('=') ? arg.slice('--config='.length) : args[index + 1];
}

/**
 * Reads, merges, fills in defaults, validates and freezes. Parsed once, in `main.ts`.
 *
 * @param validate compiled from the app's schema with defaults and coercion (tools/src/build/compile-schemas.ts).
 * @throws ConfigError `config-unreadable`, `config-invalid` (every field that is wrong, and where it came from).
 */
export function loadConfig<T>(validate: ValidateFunction, sources: ConfigSources): LoadedConfig<T> {
  const file = configFile(sources);
  const merged = merge(merge(readTree(file), fromEnvironment(sources)), fromFlags(sources.args));
  if (!validate(merged)) {
    const faults = (validate.errors ?? []).map(describe).join('; ');
    throw new ConfigError('config-invalid', `${file ?? 'configuration'}: ${faults}`);
  }
  return { config: freeze(merged) as Readonly<T>, file };
}

function readTree(file: string | undefined): Tree {
  if (file === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = hasCode(error, 'ENOENT')
      ? 'does not exist'
      : error instanceof Error
        ? error.message
        : String(error);
    throw new ConfigError('config-unreadable', `configuration file ${file}: ${why}`, { cause: error });
  }
  if (!isTree(value))
    throw new ConfigError('config-unreadable', `configuration file ${file}: must be a JSON object`);
  return value;
}

function fromEnvironment({ app, env }: ConfigSources): Tree {
  const prefix = `BOWLINE_${app.replaceAll('-', '_').toUpperCase()}__`;
  const tree: Tree = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(prefix)) continue;
    const path = name.slice(prefix.length).split('__').map(camelCase);
    setPath(tree, path, parseText(value));
  }
  return tree;
}

function fromFlags(args: readonly string[]): Tree {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: { config: { type: 'string' } },
  });
  const tree: Tree = {};
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'option' || token.name === 'config') continue;
    const next = tokens[index + 1];
    const value = token.value ?? (next?.kind === 'positional' ? next.value : undefined);
    if (value === undefined) {
      throw new ConfigError('config-invalid', `flag ${token.rawName}: write it as ${token.rawName}=VALUE`);
    }
    setPath(tree, token.name.split('.').map(joinWords), parseText(value));
  }
  return tree;
}

/** Lists and objects are given as JSON; everything else is text, which the schema coerces to its type. */
function parseText(text: string): unknown {
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function setPath(tree: Tree, [head, ...rest]: string[], value: unknown): void {
  if (head === undefined) return;
  if (head === '__proto__') throw new ConfigError('config-invalid', 'configuration: unknown key "__proto__"');
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const child = isTree(tree[head]) ? tree[head] : {};
  tree[head] = child;
  setPath(child, rest, value);
}

/** Makes own members only: a key `__proto__` stays one, for the schema to refuse, and gives nothing to inherit. */
function merge(under: Tree, over: Tree): Tree {
  const merged = Object.entries(over).map(([key, value]): [string, unknown] => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    return [key, isTree(below) && isTree(value) ? merge(below, value) : value];
  });
  return Object.fromEntries([...Object.entries(under), ...merged]);
}

function describe({ instancePath, message, params }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll('/', '.');
  const { additionalProperty, allowedValues } = params as Record<string, unknown>;
  if (additionalProperty !== undefined) {
    return `unknown key "${[path, String(additionalProperty)].filter(Boolean).join('.')}"`;
  }
  const allowed = Array.isArray(allowedValues) ? ` (${allowedValues.join(', ')})` : '';
  return `${path === '' ? 'it' : `"${path}"`} ${message ?? 'is not valid'}${allowed}`;
}

const camelCase = (name: string): string => joinWords(name.toLowerCase().replaceAll('_', '-'));
/** `tls-cert` is `tlsCert`. */
const joinWords = (name: string): string =>
  name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}
