import { describe, expect, test } from 'vitest';
import type { Progress } from './command.ts';
import { CutResult } from './outcome.ts';
import { ProgramOutput } from './program-output.ts';

function heard(chunks: string[], maxChars = 100) {
  const progress: Progress[] = [];
  const said: string[] = [];
  const output = new ProgramOutput((each) => progress.push(each), maxChars);
  for (const chunk of chunks) output.push(chunk, (text) => said.push(text));
  return { progress, said, result: () => output.result() };
}

describe('the output of a plug-in', () => {
  test('when it writes progress and then a result, each is taken for what it is, at once', () => {
    const { progress, result } = heard([
      '{"percent":10}\n{"per',
      'cent":20,"note":"half"}\n',
      '{"valve":"open"}',
    ]);
    expect(progress).toEqual([{ percent: 10 }, { percent: 20, note: 'half' }]);
    expect(result()).toEqual({ valve: 'open' });
  });

  test('when it writes something else in between, that goes to the log and spoils nothing', () => {
    const { progress, said, result } = heard(['hello\n\n{"percent":101}\n[1]\n7\n']);
    expect([progress, said]).toEqual([[], ['hello']]);
    expect(result()).toBe(7);
  });

  test('when it writes nothing, its result is null', () => {
    expect(heard([]).result()).toBe(null);
  });

  test('when its last line is no JSON, it is told what was wrong', () => {
    expect(() => heard(['{"a":1}\nbye\n']).result()).toThrow(
      expect.objectContaining({ code: 'invalid-result', message: expect.stringContaining('bye') }),
    );
  });

  test('when a line never ends, only its beginning is held, and all of its bytes are counted', () => {
    const { result } = heard(Array.from({ length: 1000 }, () => '€'.repeat(1000)));
    expect(result()).toEqual(new CutResult('€'.repeat(100), 3_000_000));
  });
});
