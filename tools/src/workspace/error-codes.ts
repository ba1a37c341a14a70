/**
 * The error codes in the sources, to be compared with docs/errors.md. As a program it prints what either lacks:
 * `node tools/src/workspace/error-codes.ts`.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKSPACE } from '../test/run.ts';

/** `new RejectedError('code'`, and functions that make errors by code: `protocolError('code'`. */
const MADE = /(?<![.\w])(?!(?:Type|Range|Syntax)?Error\()\w*[eE]rror\(\s*'([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'/g;
/** `code: 'code'`, as in acks, rejects and problem documents. */
const NAMED = /\bcode: '([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'/g;
/** `refusal(404, 'code'`, `refuse('rejected', 'code'`: a kind of answer, then its code. */
const REFUSED = /\brefus(?:e|ed|al)\(\s*[^,()]+,\s*'([a-z][a-z0-9]*(?:-[a-z0-9]+)*)'/g;
/** `… ?? 'some-code'` and `… : 'some-code'` in a line that is about a code. */
const CHOSEN = /^.*\bcode(?:Of)?\b.*(?:\?\?|[?:=(])\s*'([a-z][a-z0-9]*(?:-[a-z0-9]+)+)'/gim;

const FOR_TESTS =
  /\.(test|contract|bench)\.ts$|(^|\/)(test|testing|test-kit|e2e|fixtures|generated|node_modules|dist)\//;

/** Code → the files that it stands in. */
export function codesInSources(workspace = WORKSPACE): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const files = globSync(
    ['apps/*/src/**/*.{ts,tsx}', 'libs/*/src/**/*.ts', 'tools/src/demo/**/*.ts', 'deploy/src/**/*.ts'],
    {
      cwd: workspace,
    },
  );
  for (const file of files
    .filter((path) => !FOR_TESTS.test(path) && !path.startsWith('libs/testing/'))
    .toSorted()) {
    for (const code of codesIn(readFileSync(join(workspace, file), 'utf8'))) {
      found.set(code, [...(found.get(code) ?? []), file]);
    }
  }
  return found;
}

export function codesIn(source: string): Set<string> {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return new Set(
    [MADE, NAMED, REFUSED, CHOSEN].flatMap((pattern) =>
      [...code.matchAll(pattern)].map((match) => match[1] ?? ''),
    ),
  );
}

/** The first cell of a row, in backticks. */
const ROW = /^\| *`([a-z0-9-]+)` *\|/gm;

/** The codes of the tables in docs/errors.md. */
export function codesInDocument(markdown: string): Set<string> {
  return new Set([...markdown.matchAll(ROW)].map(([, code]) => code ?? ''));
}

/** What has more than one row in a section of docs/errors.md: two merged tables, one of which is older. */
export function codesTwice(markdown: string): string[] {
  return markdown.split(/^## /m).flatMap((section) => {
    const codes = [...section.matchAll(ROW)].map(([, code]) => code ?? '');
    return codes.filter((code, index) => codes.indexOf(code) < index);
  });
}

/** What only one of the two knows, and what is told twice, a line each. */
export function undocumentedCodes(workspace = WORKSPACE): string[] {
  const file = join(workspace, 'docs/errors.md');
  const sources = codesInSources(workspace);
  const markdown = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const documented = codesInDocument(markdown);
  return [
    ...[...sources]
      .filter(([code]) => !documented.has(code))
      .map(([code, files]) => `${code} is not in docs/errors.md (${files.join(', ')})`),
    ...[...documented]
      .filter((code) => !sources.has(code))
      .map((code) => `${code} is in docs/errors.md only`),
    ...codesTwice(markdown).map((code) => `${code} is twice in one section of docs/errors.md`),
  ].toSorted();
}

if (import.meta.main) console.log(undocumentedCodes().join('\n'));
