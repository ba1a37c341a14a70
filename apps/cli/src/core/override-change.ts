import { isTree, parseText, type Tree } from '@bowline/runtime/tree';
import { CliError, EXIT } from './cli-error.ts';
import { givenValue } from './given-values.ts';

/** @param texts `link.url=wss://…`; lists and objects as JSON. @throws CliError `usage` */
export const withValues = (override: Tree, texts: readonly string[]): Tree =>
  texts.reduce((tree, text) => {
    const { name, value } = givenValue(text);
    return setAt(tree, pathOf(name), typeof value === 'string' ? parseText(value) : value);
  }, override);

/** @throws CliError `usage`: a key that the override does not set. */
export function withoutKeys(override: Tree, keys: readonly string[]): Tree {
  return keys.reduce((tree, key) => {
    const path = pathOf(key);
    if (!hasAt(tree, path)) {
      throw new CliError('usage', `The override does not set "${key}".`, {
        exitCode: EXIT.usage,
        advice: 'See what it sets: bowline config show (from: local)',
      });
    }
    return removeAt(tree, path);
  }, override);
}

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
