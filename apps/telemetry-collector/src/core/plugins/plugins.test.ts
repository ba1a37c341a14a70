import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLine } from './decode-line.ts';
import { LineSplitter } from './split-lines.ts';

describe('LineSplitter', () => {
  test('when lines come in pieces, they are whole, without empty ones', () => {
    const lines = new LineSplitter(100);
    expect([lines.push('a'), lines.push('b\n\nc\r\nd'), lines.end()]).toEqual([[], ['ab', 'c'], ['d']]);
  });

  test('when a line is too long, it is left out and counted once, and nothing of it is kept', () => {
    const lines = new LineSplitter(4);
    expect([
      lines.push('aaa'),
      lines.push('aaa'),
      lines.push('aaa\nb\n'),
      lines.push('ccccccc\nd\n'),
    ]).toEqual([[], [], ['b'], ['d']]);
    expect(lines.tooLong).toBe(2);
  });

  test('when a text is cut anywhere, its lines are the same', () => {
    const pieces = fc.array(fc.stringMatching(/^[ab\n]{0,8}$/));
    fc.assert(
      fc.property(pieces, (texts) => {
        const lines = new LineSplitter(1000);
        const got = [...texts.flatMap((text) => lines.push(text)), ...lines.end()];
        expect(got).toEqual(
          texts
            .join('')
            .split('\n')
            .filter((line) => line !== ''),
        );
      }),
    );
  });
});

describe('decodeLine', () => {
  test('when a line is a sample, a list or an event, it is told apart', () => {
    expect(decodeLine('{"series":"a","value":1}')).toEqual({ samples: [{ series: 'a', value: 1 }] });
    expect(decodeLine('[{"series":"a","value":1}]')).toEqual({ samples: [{ series: 'a', value: 1 }] });
    expect(decodeLine('{"kind":"door.opened","data":{"series":"x"}}')).toEqual({
      event: { kind: 'door.opened', severity: 'info', data: { series: 'x' } },
    });
  });

  test('when an event has a number that would be kept as null, it is refused', () => {
    expect(() => decodeLine('{"kind":"a","data":{"x":1e400}}')).toThrow(/"data\.x" is a larger number/);
  });
});
