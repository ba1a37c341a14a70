import { expect, test } from 'vitest';
import { withoutKeys, withValues } from './override-change.ts';

test('when values are set, each has its type, and what was set beside them stays', () => {
  const before = { link: { url: 'wss://a', pingAfterMs: 5 } };
  const given = ['link.url=wss://b?x=y', 'link.compression=true', 'config.keepDocuments=7', 'names=["a"]'];
  expect(withValues(before, given)).toEqual({
    link: { url: 'wss://b?x=y', pingAfterMs: 5, compression: true },
    config: { keepDocuments: 7 },
    names: ['a'],
  });
  expect(before).toEqual({ link: { url: 'wss://a', pingAfterMs: 5 } });
});

test('when a name is one that every object has, it is a key like any other', () => {
  expect(JSON.stringify(withValues({}, ['__proto__.x=1']))).toBe('{"__proto__":{"x":1}}');
});

test('when keys are taken out, empty objects go with them; one that is not set is told', () => {
  expect(withoutKeys({ link: { url: 'x' }, a: 1 }, ['link.url'])).toEqual({ a: 1 });
  expect(() => withoutKeys({}, ['link.url'])).toThrow('The override does not set "link.url".');
  expect(withoutKeys({ link: { url: 'x' }, a: 1 }, ['link.url.y', 'a'], true)).toEqual({
    link: { url: 'x' },
  });
});

test.each(['link.url', '=x', 'link..url=x'])('when "%s" is given, it is told how to write it', (text) => {
  expect(() => withValues({}, [text])).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/is no (value|key)/),
      advice: expect.stringMatching(/link\.url/),
    }),
  );
});
