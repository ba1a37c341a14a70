import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigError, hasCode } from './errors.ts';
import { isTree, parseText, type Tree } from './tree.ts';

/** Where the parts of a configuration come from. */
export interface ConfigSources {
  /** Name of the app: environment variables are `BOWLINE_<APP>__KEY__SUBKEY`. */
  app: string;
  /** Arguments without interpreter and script: `--config FILE`, `--key.subkey=value` or `--key.subkey value`; `--some-key` is `--someKey`. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

/** By rising precedence (docs/configuration.md); what none of them sets is the schema's default. */
export const LAYERS = ['file', 'cloud', 'local', 'environment', 'flag'] as const;
export type Layer = (typeof LAYERS)[number];

export type Layers = Record<Layer, Tree>;

/** The file that is read: `--config FILE`, else `BOWLINE_CONFIG`. */
export function configFile({ args, env }: Pick<ConfigSources, 'args' | 'env'>): string | undefined {
  const index = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  if (index < 0) return env['BOWLINE_CONFIG'];
  const arg = args[index] ?? '';
  return arg.includes('=') ? arg.slice('--config='.length) : args[index + 1];
}

/** The file beside it in which whoever stands at the device has the last word over the cloud: `APP.local.json`. */
export const overrideFile = (file: string): string => `${file.replace(/\.json$/, '')}.local.json`;

/**
 * Everything but the cloud's part.
 *
 * @throws ConfigError `config-unreadable`, `config-invalid` (a flag without a value).
 */
export function readLayers(sources: ConfigSources): Layers {
  const file = configFile(sources);
  return {
    file: file === undefined ? {} : readTree(file),
    cloud: {},
    local: file === undefined ? {} : readTree(overrideFile(file), { absent: {} }),
    environment: fromEnvironment(sources),
    flag: fromFlags(sources.args),
  };
}

export function mergeLayers(layers: Layers, order: readonly Layer[] = LAYERS): Tree {
  return order.reduce<Tree>((under, layer) => merge(under, layers[layer]), {});
}

/** The highest layer that says something about a key; undefined if none does. */
export const layerOf = (layers: Layers, path: readonly string[]): Layer | undefined =>
  LAYERS.findLast((layer) => has(layers[layer], path));

function has(tree: unknown, [head, ...rest]: readonly string[]): boolean {
  if (head === undefined || !isTree(tree)) return true;
  return Object.hasOwn(tree, head) && has(tree[head], rest);
}

/** By entries, so that a key `__proto__` is a key like any other: an unknown one. */
function merge(under: Tree, over: Tree): Tree {
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isTree(below) && isTree(value) ? merge(below, value) : structuredClone(value));
  }
  return Object.fromEntries(merged);
}

export function readTree(file: string, { absent }: { absent?: Tree } = {}): Tree {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (absent !== undefined && hasCode(error, 'ENOENT')) return absent;
    const why = hasCode(error, 'ENOENT') ? 'does not exist' : whyUnreadable(error);
    throw new ConfigError('config-unreadable', `configuration file ${file}: ${why}`, { cause: error });
  }
  if (!isTree(value))
    throw new ConfigError('config-unreadable', `configuration file ${file}: must be a JSON object`);
  return value;
}

/** A syntax error may quote what stands there, secrets included. */
function whyUnreadable(error: unknown): string {
  if (!(error instanceof SyntaxError)) return error instanceof Error ? error.message : String(error);
  return `is not JSON: ${error.message.replace(/, (\.\.\.)?"[^]*$/, '')}`;
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

const camelCase = (name: string): string => joinWords(name.toLowerCase().replaceAll('_', '-'));
/** `tls-cert` is `tlsCert`. */
const joinWords = (name: string): string =>
  name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
