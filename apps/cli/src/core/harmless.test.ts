import { expect, test } from 'vitest';
import { harmless } from './harmless.ts';

test('when a text from elsewhere would command the terminal, it is shown instead', () => {
  expect(harmless('a \u001b]0;title\u0007 \u001b[2J\u009b5n\rb')).toBe(
    'a \uFFFD]0;title\uFFFD \uFFFD[2J\uFFFD5n\uFFFDb',
  );
  expect(harmless('two\n\tlines, \u001b[2mdim\u001b[22m, é 日本')).toBe(
    'two\n\tlines, \u001b[2mdim\u001b[22m, é 日本',
  );
});
