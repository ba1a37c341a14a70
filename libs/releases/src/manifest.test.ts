import { describe, expect, test } from 'vitest';
import { checkManifest, decodeManifest, foldersOf, sizesOf, totalBytes } from './manifest.ts';
import { linkTarget } from './tree-path.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const base = { format: 1, kind: 'app', name: 'kiosk', version: '1.2.3', channel: 'stable' };
const withFiles = (...paths: string[]) => ({
  ...base,
  files: paths.map((path) => ({ path, size: 3, sha256: A })),
});
const code = (name: string) => expect.objectContaining({ code: name });

describe('checkManifest', () => {
  test('when a manifest makes one tree, it is taken, and its folders are those of files, links and its own', () => {
    const manifest = checkManifest({
      ...withFiles('bin/run', 'lib/a/b.js', 'README'),
      folders: ['var/empty', 'lib'],
      links: [{ path: 'etc/run', target: '../bin/run' }],
    });
    expect(foldersOf(manifest).toSorted()).toEqual(['bin', 'etc', 'lib', 'lib/a', 'var', 'var/empty']);
    expect(totalBytes(manifest)).toBe(9);
    expect([...sizesOf(manifest)]).toEqual([[A, 3]]);
  });

  test.each([
    ['../etc/passwd', 'unsafe-path'],
    ['/etc/passwd', 'unsafe-path'],
    ['a//b', 'unsafe-path'],
    ['a/./b', 'unsafe-path'],
    ['a/..', 'unsafe-path'],
    ['a\\b', 'unsafe-path'],
    ['a\u0000b', 'unsafe-path'],
    ['a\nb', 'unsafe-path'],
    ['a\u009bb', 'unsafe-path'],
    [`${'a/'.repeat(32)}b`, 'unsafe-path'],
    ['x'.repeat(256), 'unsafe-path'],
    ['\ud800', 'unsafe-path'],
    ['', 'invalid'],
  ])('when a path is %j, it is refused as %s', (path, why) => {
    expect(() => checkManifest(withFiles(path))).toThrow(code(why));
    expect(() => checkManifest({ ...withFiles('ok'), folders: [path] })).toThrow(code(why));
    expect(() => checkManifest({ ...withFiles('ok'), links: [{ path, target: 'ok' }] })).toThrow(code(why));
  });

  test('when a path is there twice, or under a file or link, it is refused', () => {
    const bad = code('bad-manifest');
    expect(() => checkManifest(withFiles('a', 'a'))).toThrow(bad);
    expect(() => checkManifest(withFiles('a', 'a/b'))).toThrow(bad);
    expect(() => checkManifest(withFiles('a/b', 'a'))).toThrow(bad);
    expect(() => checkManifest({ ...withFiles('a'), folders: ['a'] })).toThrow(bad);
    const links = [{ path: 'c', target: 'd' }];
    expect(() => checkManifest({ ...withFiles('c/x', 'd/y'), links })).toThrow(bad);
  });

  test('when a link leads out, to nothing, or is absolute, it is refused', () => {
    const linked = (target: string) => ({ ...withFiles('a/b'), links: [{ path: 'a/l', target }] });
    expect(() => checkManifest(linked('b'))).not.toThrow();
    expect(() => checkManifest(linked('../a/b'))).not.toThrow();
    for (const target of ['../../x', '/etc/passwd', '..', '../../a/b/../../..'])
      expect(() => checkManifest(linked(target))).toThrow(code('unsafe-path'));
    expect(() => checkManifest(linked('c'))).toThrow(code('bad-manifest'));
    expect(linkTarget('a/b/c', '../x')).toBe('a/x');
  });

  test('when a link goes up again behind a name, which may be a link to a place higher up, it is refused', () => {
    const links = [
      { path: 'a/b/c/up', target: '../../../top' },
      { path: 'out', target: 'a/b/c/up/../../x' },
    ];
    expect(() => checkManifest({ ...withFiles('a/b/x', 'top/y'), links })).toThrow(code('unsafe-path'));
    expect(() => checkManifest({ ...withFiles('a/b/x', 'top/y'), links: links.slice(0, 1) })).not.toThrow();
  });

  test('when the same hash has two sizes, or the version is none, it is refused', () => {
    const two = [
      { path: 'a', size: 3, sha256: B },
      { path: 'b', size: 4, sha256: B },
    ];
    expect(() => checkManifest({ ...base, files: two })).toThrow(code('bad-manifest'));
    expect(() => checkManifest({ ...withFiles('a'), version: '1.2' })).toThrow(code('invalid'));
    expect(() => checkManifest({ ...withFiles('a'), version: '01.2.3' })).toThrow(code('bad-manifest'));
  });

  test('when the text is no JSON, nests too deeply or has another format, it is refused', () => {
    expect(() => decodeManifest('{')).toThrow(code('broken-json'));
    expect(() => decodeManifest('['.repeat(100))).toThrow(code('too-deep'));
    expect(() => decodeManifest(JSON.stringify({ ...withFiles('a'), format: 2 }))).toThrow(code('invalid'));
    expect(decodeManifest(JSON.stringify({ ...withFiles('a'), later: 1 }))).toMatchObject({ name: 'kiosk' });
  });
});
