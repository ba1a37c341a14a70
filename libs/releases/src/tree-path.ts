import { ContractError } from '@bowline/runtime/errors';

const MAX_DEPTH = 32;
const MAX_NAME_BYTES = 255;

const refused = (path: string, why: string) =>
  new ContractError('unsafe-path', `${JSON.stringify(path.slice(0, 200))} ${why}`);

/**
 * The names of a path of a release, from the top. Only what means the same to everybody passes: relative, no `.`, `..` or
 * empty name, no control character or backslash, bounded in depth and length.
 *
 * @throws ContractError `unsafe-path`
 */
export function pathNames(path: string): string[] {
  const names = path.split('/');
  if (names.length > MAX_DEPTH) throw refused(path, `is deeper than ${MAX_DEPTH}`);
  for (const name of names) {
    if (name === '' || name === '.' || name === '..')
      throw refused(path, 'must be relative, without empty names, "." and ".."');
    if (new TextEncoder().encode(name).length > MAX_NAME_BYTES)
      throw refused(path, `has a name over ${MAX_NAME_BYTES} bytes`);
    if (hasControl(name)) throw refused(path, 'has a control character or a backslash');
    if (!name.isWellFormed()) throw refused(path, 'is not Unicode');
  }
  return names;
}

/**
 * Where a link at `path` points to, from the top of the release. `..` only leads it: behind a name it goes up from where that
 * leads if it is a link itself, which a path cannot tell.
 *
 * @throws ContractError `unsafe-path` if that is outside the release, or the target is absolute.
 */
export function linkTarget(path: string, target: string): string {
  const at = pathNames(path).slice(0, -1);
  let descends = false;
  if (target.startsWith('/')) throw refused(target, `(link ${path}) must be relative`);
  for (const name of target.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') {
      at.push(name);
      descends = true;
    } else if (descends) throw refused(target, `(link ${path}) has ".." behind a name`);
    else if (at.pop() === undefined) throw refused(target, `(link ${path}) leads out of the release`);
  }
  if (at.length === 0) throw refused(target, `(link ${path}) is the release itself`);
  pathNames(at.join('/'));
  return at.join('/');
}

function hasControl(name: string): boolean {
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || character === '\\') return true;
  }
  return false;
}
