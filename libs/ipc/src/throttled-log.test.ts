import type { Logger } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { describe, expect, it } from 'vitest';
import { ThrottledLog } from './throttled-log.ts';
import { silentLog } from './testing/messages.ts';

describe('ThrottledLog', () => {
  it('when the same complaint comes all the time, it is logged once a second and says how often it was left out', async () => {
    const clock = new FakeClock();
    const lines: unknown[] = [];
    const warn = (fields: object, message: string) => lines.push({ ...fields, message });
    const log = new ThrottledLog({ ...silentLog, warn } as unknown as Logger, clock);
    for (const n of [1, 2, 3]) log.write('warn', { n }, 'bad');
    log.write('warn', {}, 'other');
    await clock.advance(1000);
    for (const n of [4, 5]) log.write('warn', { n }, 'bad');
    expect(lines).toEqual([
      { n: 1, message: 'bad' },
      { message: 'other' },
      { n: 4, omitted: 2, message: 'bad' },
    ]);
  });
});
