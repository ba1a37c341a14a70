import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { transformSync } from 'esbuild';
import { WORKSPACE } from '../test/run.ts';
import { exampleOf, type NewFile } from './example.ts';

/** What a new module begins with. */
export function moduleFiles(name: string): Record<string, NewFile> {
  return {
    [`${name}.ts`]: { text: moduleText(name), mode: 0o644 },
    [`${name}.test.ts`]: { text: testText(name), mode: 0o644 },
  };
}

/** `@bowline/command` for editors and tests; in the executor its own takes this one's place. */
export function commandPackage(): Record<string, NewFile> {
  const source = readFileSync(join(WORKSPACE, 'libs/command/src/index.ts'), 'utf8');
  const exports = { '.': { types: './index.ts', default: './index.js' } };
  const manifest = { name: '@bowline/command', version: '0.1.0', type: 'module', exports };
  return {
    'package.json': { text: `${JSON.stringify(manifest, null, 2)}\n`, mode: 0o644 },
    'index.ts': { text: source, mode: 0o644 },
    'index.js': { text: transformSync(source, { loader: 'ts', format: 'esm' }).code, mode: 0o644 },
  };
}

/** As they stand in a program, with a comma behind the last. */
const membersOf = (value: object): string =>
  inspect(value, { depth: Infinity, compact: 2, breakLength: 100, numericSeparator: true }).replace(
    /^\{\n([^]*)\n\}$/,
    '$1,',
  );

const moduleText = (name: string): string => `import { defineCommand } from '@bowline/command';

/** What \`params\` below describes: only what has passed it gets here. */
interface Params {
  who: string;
}
interface Result {
  greeting: string;
}

export default defineCommand<Params, Result>({
${membersOf(exampleOf(name))}

  async run({ who }, { signal, progress, log }) {
    signal.throwIfAborted();
    progress({ percent: 50, note: 'thinking of something nice' });
    log(\`somebody greets \${who}\`);
    return { greeting: \`Hello, \${who}\` };
  },
});
`;

const testText = (
  name: string,
): string => `// node --test ${name}.test.ts: runs the command as the executor does, without one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandContext, CommandProgress } from '@bowline/command';
import command from './${name}.ts';

test('it greets whoever it is told to, and says how far it is', async () => {
  const told: CommandProgress[] = [];
  const context: CommandContext = {
    orderId: 'test',
    attempt: 1,
    timeoutMs: 1000,
    signal: new AbortController().signal,
    progress: (progress) => told.push(progress),
    log: () => {},
  };
  assert.deepEqual(await command.run({ who: 'Bowline' }, context), { greeting: 'Hello, Bowline' });
  assert.equal(told[0]?.percent, 50);
});
`;
