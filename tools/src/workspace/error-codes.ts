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

/** The codes of the tables in docs/errors.md: the first cell of each row, in backticks. */
export function codesInDocument(markdown: string): Set<string> {
  return new Set([...markdown.matchAll(/^\| *`([a-z0-9-]+)` *\|/gm)].map(([, code]) => code ?? ''));
}

/** What only one of the two knows, a line each. */
export function undocumentedCodes(workspace = WORKSPACE): string[] {
  const file = join(workspace, 'docs/errors.md');
  const sources = codesInSources(workspace);
  const documented = codesInDocument(existsSync(file) ? readFileSync(file, 'utf8') : '');
  return [
    ...[...sources]
      .filter(([code]) => !documented.has(code))
      .map(([code, files]) => `${code} is not in docs/errors.md (${files.join(', ')})`),
    ...[...documented]
      .filter((code) => !sources.has(code))
      .map((code) => `${code} is in docs/errors.md only`),
  ].toSorted();
}

if (import.meta.main) console.log(undocumentedCodes().join('\n'));
