import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SCHEMA_VERSION as STORE } from '@bowline/durable-queue';
import { SCHEMA_VERSION as HISTORY } from '@bowline/history-store';
import { expect, test } from 'vitest';

const FILE = resolve(import.meta.dirname, '../../../deploy/data-formats.json');

test('when a form of data changes, the file by which a device knows whether it could go back says so', () => {
  const formats = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, object>;
  expect(formats).toEqual({
    store: { reads: STORE, writes: STORE },
    history: { reads: HISTORY, writes: HISTORY },
  });
});
