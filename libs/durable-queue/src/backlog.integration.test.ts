import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from './testing/test-queue.ts';

const SCRIPT = new URL('testing/backlog.ts', import.meta.url).pathname;
const COUNT = 1_000_000;
const MOST_GROWTH_BYTES = 20 * 2 ** 20;

test('when a million messages wait, the store opens and replays them with flat memory', async () => {
  const folder = temporaryFolder();
  const run = async (task: string) => {
    // As a device runs it (deploy/ecosystem.config.cjs): what tests have compiled would make the memory at the start smaller.
    const args = ['--max-semi-space-size=4', '--expose-gc', SCRIPT, task, folder, String(COUNT)];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, MALLOC_ARENA_MAX: '1', NODE_DISABLE_COMPILE_CACHE: '1' },
    });
    return JSON.parse(stdout);
  };
  expect(await run('fill')).toEqual({ messages: COUNT });
  const { messages, grownBytes } = await run('replay');
  expect(messages).toBe(COUNT);
  expect(grownBytes).toBeLessThan(MOST_GROWTH_BYTES);
}, 240_000);
