import { describe, expect, test } from 'vitest';
import { parseFrame } from './frame.ts';

const nested = (levels: number, inner = '1') => `${'['.repeat(levels)}${inner}${']'.repeat(levels)}`;
const codeOf = (text: string, levels = 3) => {
  try {
    parseFrame(text, 1000, levels);
    return 'read';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('parseFrame', () => {
  test('when a frame nests as deep as it may, it is read, and one level more is refused', () => {
    expect([codeOf(nested(3)), codeOf(nested(4)), codeOf('[{"a":[{}]}]')]).toEqual([
      'read',
      'too-deep',
      'too-deep',
    ]);
    expect(codeOf('[[[1]],[[2]],{"a":{}}]')).toBe('read');
  });

  test('when brackets stand in a string, they do not count, whatever is escaped before its end', () => {
    for (const inner of ['"[[[["', '"\\"[[[["', '"\\\\\\"[[[["', '"[[\\\\","{{{{"', '""']) {
      expect([inner, codeOf(nested(3, inner))]).toEqual([inner, 'read']);
    }
  });

  test('when brackets follow a string that ends in a backslash, they count', () => {
    for (const text of ['["\\\\",[[[1]]]]', '["\\\\\\\\",[[[1]]]]', '{"\\\\":[[[1]]]}']) {
      expect([text, codeOf(text)]).toEqual([text, 'too-deep']);
    }
  });

  test('when a string does not end, the frame is no JSON', () => {
    expect([codeOf('["[[[['), codeOf('["\\"[[[['), codeOf('"')]).toEqual([
      'broken-json',
      'broken-json',
      'broken-json',
    ]);
  });
});
