import { exampleOf, type NewFile } from './example.ts';

/** What a new plug-in begins with. */
export function plugInFiles(name: string): Record<string, NewFile> {
  const manifest = { ...exampleOf(name), concurrency: 'shared' };
  return {
    'command.json': { text: `${JSON.stringify(manifest, null, 2)}\n`, mode: 0o644 },
    run: { text: RUN, mode: 0o755 },
    'run.test.mjs': { text: TEST, mode: 0o644 },
  };
}

const RUN = `#!/usr/bin/env python3
"""Any language will do: params on standard input, JSON lines on standard output, the last one is the result."""
import json
import sys

params = json.load(sys.stdin)
print(json.dumps({"percent": 50, "note": "thinking of something nice"}), flush=True)
print("this line goes to the log of the executor", file=sys.stderr)
print(json.dumps({"greeting": "Hello, " + params["who"]}))
`;

const TEST = `// node --test run.test.mjs: starts the program as the executor does.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** @returns the exit code, the progress and the result. */
function run(params) {
  const { status, stdout, stderr } = spawnSync('./run', {
    cwd: import.meta.dirname,
    input: JSON.stringify(params) + '\\n',
    encoding: 'utf8',
  });
  const lines = stdout.split('\\n').filter(Boolean);
  return { status, stderr, progress: lines.slice(0, -1).map((line) => JSON.parse(line)), result: lines.at(-1) };
}

test('it greets whoever it is told to', () => {
  const { status, progress, result } = run({ who: 'Bowline' });
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(result), { greeting: 'Hello, Bowline' });
  assert.equal(progress[0].percent, 50);
});

test('it fails, and says why, when it does not get what it needs', () => {
  const { status, stderr } = run({});
  assert.notEqual(status, 0);
  assert.match(stderr, /who/);
});
`;
