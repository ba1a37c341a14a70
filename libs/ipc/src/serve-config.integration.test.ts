import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, LiveConfig } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { configAnswers } from './serve-config.ts';

test('when an app does not take the override that was written, the answer says why, and what was before is in force', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'app.json');
  writeFileSync(file, JSON.stringify({ stateDir: folder, port: 1 }));
  const takesAll = Object.assign(() => true, { schema: { type: 'object' } });
  const live = new LiveConfig<{ port: number }>(takesAll, { app: 'app', args: ['--config', file], env: {} });
  live.onChange(({ port }) => {
    if (port === 2) throw new RejectedError('in-use', 'somebody else listens on port 2');
  });
  const override = { port: 2 };
  writeFileSync(join(folder, 'app.local.json'), JSON.stringify(override));

  const answer = await configAnswers(live, () => undefined).takeOverride({ hash: hashOf(override) });
  expect(answer).toEqual({
    faults: [{ key: '', message: 'somebody else listens on port 2' }],
    keys: [],
    restarts: false,
  });
  expect(live.current.port).toBe(1);
  expect(readFileSync(join(folder, 'app.local.json'), 'utf8')).toBe('{"port":2}'); // its owner's to put right
});
