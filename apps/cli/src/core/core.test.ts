import { describe, expect, test } from 'vitest';
import { duration, parseDuration, size } from './format.ts';
import { parseLogLine } from './log-line.ts';
import { PastLines } from './past-lines.ts';
import { stuckApps, type Sighting } from './stuck.ts';

describe('durations and sizes', () => {
  test('when a duration is written with its unit, it is read', () => {
    expect(['500ms', '30s', '1.5m', '2h', '7d'].map(parseDuration)).toEqual([
      500, 30_000, 90_000, 7_200_000, 604_800_000,
    ]);
    expect(['30', 's', '-1s', '1 s', ''].map(parseDuration)).toEqual(Array.from({ length: 5 }));
  });

  test('when a duration is shown, it has two units at most', () => {
    expect([0, 850, 59_999, 3_660_000, 93_784_000].map(duration)).toEqual([
      '0 ms',
      '850 ms',
      '59 s',
      '1 h 1 min',
      '1 d 2 h',
    ]);
  });

  test('when a size is shown, it has the unit that fits', () => {
    expect([0, 1023, 2048, 5 * 2 ** 20].map(size)).toEqual(['0 B', '1023 B', '2 kB', '5.0 MB']);
  });
});

describe('log lines', () => {
  test('when a line is one of ours, its parts are found', () => {
    const line =
      '{"level":"info","time":"2026-01-02T03:04:05.006Z","app":"x","message":"sent","seq":7,"why":"a b"}';
    expect(parseLogLine(line)).toMatchObject({ level: 'info', message: 'sent', fields: 'seq=7 why="a b"' });
    expect(parseLogLine(line)?.time).toMatch(/:05\.006$/);
  });

  test('when a line is not ours, it is left alone', () => {
    expect(parseLogLine('Error: no such file')).toBeUndefined();
    expect(parseLogLine('{broken')).toBeUndefined();
  });
});

describe('what pm2 prints for a log', () => {
  const shown = (wanted: number, lines: string[]) => {
    const out: string[] = [];
    const past = new PastLines(wanted, (line) => out.push(line));
    lines.forEach((line) => past.take(line));
    return out;
  };

  test('when more lines come than were wanted, the last ones are shown, then what is new', () => {
    const lines = ['[TAILING] …', '/l/a.log last 20 lines:', '{"n":1}', '{"n":2}', '{"n":3}', '', '{"n":4}'];
    expect(shown(2, lines)).toEqual(['{"n":2}', '{"n":3}', '{"n":4}']);
    expect(shown(0, lines)).toEqual(['{"n":4}']);
  });

  test('when the first line is cut, it is left out', () => {
    expect(shown(5, ['/l/a.log last 50 lines:', 'f a record"}', '{"n":2}', ''])).toEqual(['{"n":2}']);
  });

  test('when a file is empty, the next one is shown', () => {
    expect(shown(5, ['/l/a.stderr.log last 50 lines:', '/l/a.log last 50 lines:', '{"n":1}', ''])).toEqual([
      '{"n":1}',
    ]);
  });
});

describe('apps that pm2 has lost', () => {
  const app = (status: string, alive: boolean, restarts = 1): Sighting => ({
    name: 'a',
    status,
    alive,
    restarts,
  });

  test.each([['waiting restart'], ['online'], ['launching'], ['errored']])(
    'when it is %s without a process at both looks, it is lost',
    (status) => {
      expect(stuckApps([app(status, false)], [app(status, false)])).toEqual(['a']);
    },
  );

  test('when pm2 has tried again in between, it is not lost', () => {
    expect(stuckApps([app('waiting restart', false, 1)], [app('waiting restart', false, 2)])).toEqual([]);
    expect(stuckApps([app('waiting restart', false)], [app('online', true, 2)])).toEqual([]);
  });

  test('when a person has stopped it, it stays stopped', () => {
    expect(stuckApps([app('stopped', false)], [app('stopped', false)])).toEqual([]);
  });
});
