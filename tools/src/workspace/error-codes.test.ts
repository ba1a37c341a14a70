import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { writeInto } from './copied-workspace.ts';
import { codesIn, codesInDocument, undocumentedCodes } from './error-codes.ts';

test('when errors are made in the ways we make them, their codes are found', () => {
  const source = [
    `throw new RejectedError('lane-full', 'text');`,
    `throw new ConfigError(\n  'config-invalid',\n  'text',\n);`,
    `throw protocolError('too-deep', 3);`,
    `return { code: 'expired', message: 'text' };`,
    `const code = known ? error.code : 'command-failed';`,
    `return new TransientError(code ?? 'server-error', message);`,
    `return refusal(404, 'not-found', 'text');`,
  ].join('\n');
  expect([...codesIn(source)].toSorted()).toEqual(
    [
      'command-failed',
      'config-invalid',
      'expired',
      'lane-full',
      'not-found',
      'server-error',
      'too-deep',
    ].toSorted(),
  );
});

test('when other text stands in quotes, it is no code', () => {
  const source = [
    `throw new Error('refused');`,
    `throw new TypeError('nothing');`,
    `// throw new RejectedError('commented-out')`,
    `/* { code: 'in-a-comment' } */`,
    `log.error('some-word');`,
  ].join('\n');
  expect([...codesIn(source)]).toEqual([]);
});

test('when the document has tables of codes, the first cell of each row counts', () => {
  const markdown =
    '| code | class |\n|---|---|\n| `lane-full` | Rejected, like `other-code` |\n\nSee `third-code`.\n';
  expect([...codesInDocument(markdown)]).toEqual(['lane-full']);
});

test('when the sources and the document differ, or it tells one twice, each difference is named', () => {
  const workspace = temporaryFolder();
  writeInto(
    workspace,
    'docs/errors.md',
    '| `old-code` | |\n| `same-code` | |\n| `same-code` | |\n\n## B\n\n| `old-code` | |\n',
  );
  writeInto(workspace, 'libs/x/src/a.ts', `new RejectedError('new-code'); new RejectedError('same-code');`);
  expect(undocumentedCodes(workspace)).toEqual([
    'new-code is not in docs/errors.md (libs/x/src/a.ts)',
    'old-code is in docs/errors.md only',
    'same-code is twice in one section of docs/errors.md',
  ]);
});

test('when the sources of this workspace are read, docs/errors.md lists exactly their codes', () => {
  expect(undocumentedCodes()).toEqual([]);
});
