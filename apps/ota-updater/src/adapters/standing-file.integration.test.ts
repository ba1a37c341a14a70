import { join } from 'node:path';
import { createLogger } from '@bowline/runtime';
import { temporaryFolder } from '@bowline/testing';
import { expect, test } from 'vitest';
import { StandingFile } from './standing-file.ts';

const log = createLogger({ app: 'test', level: () => 'error' });
const higher = (a?: string, b?: string) => a ?? b;
const denied = { d1: { name: 'kiosk', version: '1.0.0', code: 'boot-loop', message: '', at: 1 } };
const NOTHING = { updates: [], installed: {}, denied: {} };

test('when the journal is lost, what failed is known where nothing was ever installed, too; what was allowed since is not denied again', () => {
  const file = join(temporaryFolder(), 'standing.json');
  new StandingFile(file, { log }).keep({ installed: {}, denied });
  const standing = new StandingFile(file, { log });
  expect(standing.missing(NOTHING, higher)).toEqual({ installed: {}, denied });
  expect(standing.missing({ ...NOTHING, denied }, higher)).toBeUndefined();
  const installed = { other: { digest: 'd2', version: '1.0.0', kind: 'app', at: 2 } };
  expect(standing.missing({ ...NOTHING, installed }, higher)).toBeUndefined();
});
