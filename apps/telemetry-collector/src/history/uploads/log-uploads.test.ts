import type { Job } from '@bowline/scheduler';
import { expect, test } from 'vitest';
import { config } from '../../generated/config.js';
import type { LogUpload } from '../history-config.ts';
import { LogUploads } from './log-uploads.ts';

const upload = (more: Partial<LogUpload> = {}): LogUpload => ({
  kind: 'logs',
  app: 'a',
  everyMs: 60_000,
  jitterMs: 0,
  maxBytes: 1024,
  ...more,
});

test('when one of several schedules is none, all stay as they were', () => {
  const jobs = new Map<string, Job['schedule']>();
  const never = () => {
    throw new Error('nothing runs here');
  };
  const uploads = new LogUploads({
    scheduler: {
      set: ({ name, schedule }) => void jobs.set(name, schedule),
      remove: (name) => void jobs.delete(name),
    },
    source: never,
    state: never,
    room: never,
    send: never,
    newId: never,
    nowMs: never,
    uploaded: never,
  });
  uploads.plan({ kept: upload(), gone: upload({ cron: '0 3 * * *' }) });
  const before = [...jobs];
  expect(() => uploads.plan({ kept: upload({ everyMs: 90_000 }), wrong: upload({ cron: 'daily' }) })).toThrow(
    expect.objectContaining({ code: 'schedule-invalid' }),
  );
  expect([...jobs]).toEqual(before);
  uploads.plan({ kept: upload({ everyMs: 90_000 }) });
  expect([...jobs]).toEqual([['upload-kept', { everyMs: 90_000 }]]);
});

test('when there are more than the status has room for, the configuration is refused', () => {
  const withUploads = (count: number) => ({
    stateDir: '/s',
    hubFolder: '/h',
    history: {
      uploads: Object.fromEntries(Array.from({ length: count }, (_, n) => [`u${n}`, { kind: 'journal' }])),
    },
  });
  expect([config(withUploads(32)), config(withUploads(33))]).toEqual([true, false]);
});
