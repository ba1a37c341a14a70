import { describe, expect, test } from 'vitest';
import type { Progress } from './command.ts';
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
    expect(result()).toEqual({ value: { valve: 'open' }, isWhole: true });
  });

  test('when it writes something else in between, that goes to the log and spoils nothing', () => {
    const { progress, said, result } = heard(['hello\n\n{"percent":101}\n[1]\n7\n']);
    expect([progress, said]).toEqual([[], ['hello']]);
    expect(result().value).toBe(7);
  });

  test('when it writes nothing, its result is null', () => {
    expect(heard([]).result().value).toBe(null);
  });

  test('when its last line is no JSON, it is told what was wrong', () => {
    expect(() => heard(['{"a":1}\nbye\n']).result()).toThrow(
      expect.objectContaining({ code: 'invalid-result', message: expect.stringContaining('bye') }),
    );
  });

  test('when a line never ends, only its beginning is held, and the result says that it is cut', () => {
    const { result } = heard(Array.from({ length: 1000 }, () => 'x'.repeat(1000)));
    expect(result()).toEqual({
      value: { truncated: true, sizeBytes: 1_000_000, start: 'x'.repeat(100) },
      isWhole: false,
    });
  });
});
