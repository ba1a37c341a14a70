import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '@bowline/testing';
import { readProjects } from '../test/nx.ts';
import { WORKSPACE } from '../test/run.ts';
import { writeInto } from './copied-workspace.ts';
import { importsOf, undeclaredImports } from './imports.ts';

test('when a file imports in any of the ways there are, each module is found', () => {
  const source = [
    "import fs from 'node:fs';",
    "import type { A } from 'types-only';",
    'import {\n  b,\n} from "many-lines";',
    "import 'side-effect';",
    "export * from './all.ts';",
    "export { c } from '@scope/pack/deep';",
    "const d = await import('vitest');",
    "const e = require('node:path');",
    "// import nothing from 'comment';",
    "/* import nothing from 'block'; */",
  ].join('\n');
  expect(importsOf(source)).toEqual([
    'node:fs',
    'types-only',
    'many-lines',
    'side-effect',
    './all.ts',
    '@scope/pack/deep',
    'vitest',
    'node:path',
  ]);
});

describe('a package of a small workspace', () => {
  function breaches(files: Record<string, string>): string[] {
    const workspace = temporaryFolder();
    writeInto(
      workspace,
      'package.json',
      JSON.stringify({ name: 'root', devDependencies: { vitest: '1.0.0' } }),
    );
    const manifest = {
      name: 'pkg',
      dependencies: { declared: '1.0.0' },
      devDependencies: { 'for-tests': '1.0.0' },
    };
    writeInto(workspace, 'apps/pkg/package.json', JSON.stringify(manifest));
    for (const [file, text] of Object.entries(files)) writeInto(workspace, `apps/pkg/${file}`, text);
    return undeclaredImports(workspace, 'apps/pkg');
  }

  test('when all that it imports is declared, there is no breach', () => {
    const run = `import { a } from 'declared/deep'; import { b } from './b.ts'; import c from 'node:fs';`;
    expect(
      breaches({ 'src/a.ts': run, 'src/a.test.ts': `import {} from 'vitest';\nimport {} from 'for-tests';` }),
    ).toEqual([]);
  });

  test('when a module is not declared, that is a breach', () => {
    expect(breaches({ 'src/a.ts': `import type { A } from 'stranger';` })).toHaveLength(1);
  });

  test('when what runs imports what is declared for tests only, that is a breach', () => {
    expect(breaches({ 'src/a.ts': `import { A } from 'for-tests';` })).toHaveLength(1);
  });

  test('when an import leaves the package, that is a breach', () => {
    expect(breaches({ 'src/a.ts': `import { A } from '../../other/src/b.ts';` })).toHaveLength(1);
  });
});

test('when the sources of this workspace are read, every import is declared', () => {
  expect(readProjects().flatMap(({ root }) => undeclaredImports(WORKSPACE, root))).toEqual([]);
});
