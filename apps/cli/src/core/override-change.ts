import { isTree, parseText, type Tree } from '@bowline/runtime/tree';
import { CliError, EXIT } from './cli-error.ts';
import { givenValue } from './given-values.ts';

const HOW_TO_SET =
  'Write KEY=VALUE, e.g. bowline config set ws-gateway link.url=wss://fleet.example/v1/…, or KEY=@FILE, KEY=@- for a value from a file or standard input. To take a key out: bowline config unset APP KEY';

/** @param texts `link.url=wss://…`; lists and objects as JSON. @throws CliError `usage` */
export const withValues = (override: Tree, texts: readonly string[]): Tree =>
  texts.reduce((tree, text) => {
    const { name, value } = givenValue(text, HOW_TO_SET);
    return setAt(tree, pathOf(name), typeof value === 'string' ? parseText(value) : value);
  }, override);

/**
 * @param mayLack what is to go may be gone already.
 * @throws CliError `usage`: a key that the override does not set.
 */
export function withoutKeys(override: Tree, keys: readonly string[], mayLack = false): Tree {
  return keys.reduce((tree, key) => {
    const path = pathOf(key);
    if (hasAt(tree, path)) return removeAt(tree, path);
    if (mayLack) return tree;
    throw new CliError('usage', `The override does not set "${key}".`, {
      exitCode: EXIT.usage,
      advice: 'See what it sets: bowline config show (from: local)',
    });
  }, override);
}

export const lacksAny = (override: Tree, keys: readonly string[]): boolean =>
  keys.some((key) => !hasAt(override, pathOf(key)));

function pathOf(key: string): string[] {
  const path = key.split('.');
  if (!path.includes('')) return path;
  throw new CliError('usage', `"${key}" is no key.`, {
    exitCode: EXIT.usage,
    advice: 'Write it as bowline config show does, e.g. link.url',
  });
}

function setAt(tree: Tree, [head = '', ...rest]: readonly string[], value: unknown): Tree {
  const below = Object.hasOwn(tree, head) && isTree(tree[head]) ? tree[head] : {};
  return { ...tree, [head]: rest.length === 0 ? value : setAt(below, rest, value) };
}

function hasAt(tree: unknown, [head, ...rest]: readonly string[]): boolean {
  return head === undefined || (isTree(tree) && Object.hasOwn(tree, head) && hasAt(tree[head], rest));
}

/** What is left empty goes, too. */
function removeAt(tree: Tree, [head = '', ...rest]: readonly string[]): Tree {
  const { [head]: at, ...others } = tree;
  const below = rest.length > 0 && isTree(at) ? removeAt(at, rest) : {};
  return Object.keys(below).length > 0 ? { ...others, [head]: below } : others;
}
