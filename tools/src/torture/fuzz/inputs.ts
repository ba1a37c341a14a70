import fc from 'fast-check';

/** What has broken decoders before: wrong types, edges of numbers, names that reach a prototype, halves of characters. */
const HOSTILE_VALUES: readonly unknown[] = [
  null, true, false, 0, -1, 1.5, 1e308, 2 ** 31, 2 ** 53, -(2 ** 63), '', ' ', 'x', '0', '1e3', [], {}, [[]], [null],
  '\ud800', '\udfff\ud800', '\u0000', '\u2028', 'é'.repeat(300), '../../etc/passwd', '__proto__', 'constructor',
  JSON.parse('{"__proto__":{"polluted":true}}'), { constructor: { prototype: { polluted: true } } }, { toString: 1 },
  { length: 2 ** 32 }, { toJSON: null }, Array.from({ length: 300 }, (_, n) => n),
]; // prettier-ignore

const HOSTILE_NAMES = [
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'then', 'length', '', '\ud800', '0',
]; // prettier-ignore

/** Pieces of text that no JSON value would be written as. */
const HOSTILE_TEXTS = [
  '1e999', '-1e999', '-0', '9'.repeat(400), '"', '\\', '\\u', '\\ud800', '{', '}', '[', ']', ',', ':', '\n', '\f', '\u0000',
  '\ufeff', '\ufffd', '"__proto__":', '"type":"batch",', '"id":1,', '"seq":1,"seq":2,', 'NaN', '//', '.', '=', '\ud800',
]; // prettier-ignore

interface ValueEdit {
  at: number;
  how: 'replace' | 'remove' | 'add' | 'repeat' | 'wrap';
  name: string;
  value: unknown;
}

interface TextEdit {
  at: number;
  how: 'flip' | 'drop' | 'end' | 'repeat' | 'insert';
  length: number;
  text: string;
}

/** Any value; some of them long or deep. */
const anyValue = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...HOSTILE_VALUES) },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 14 }).map((power) => 'x'.repeat(2 ** power)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }).map(nested) },
);

const valueEdit: fc.Arbitrary<ValueEdit> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('replace', 'remove', 'add', 'repeat', 'wrap'),
  name: fc.constantFrom(...HOSTILE_NAMES),
  value: anyValue,
});

const textEdit: fc.Arbitrary<TextEdit> = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('flip', 'drop', 'end', 'repeat', 'insert'),
  length: fc.integer({ min: 1, max: 64 }),
  text: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.constantFrom('[', '{"a":', '\\', '"'), fc.nat(5000))
        .map(([text, times]) => text.repeat(times)),
    },
  ),
});

/**
 * Texts near a corpus of good and bad ones: its values with parts replaced, removed, added, repeated, wrapped; their text
 * with characters turned, cut and doubled; and a few that have nothing to do with it.
 */
export function inputsNear(corpus: readonly unknown[]): fc.Arbitrary<string> {
  const seed = fc.constantFrom(...corpus);
  const value = fc
    .tuple(seed, fc.array(valueEdit, { minLength: 1, maxLength: 3 }))
    .map(([from, edits]) => textOf(editValue(from, edits)));
  const text = fc
    .tuple(seed, fc.array(textEdit, { minLength: 1, maxLength: 3 }))
    .map(([from, edits]) => edits.reduce(editText, textOf(from)));
  return fc.oneof(
    { weight: 10, arbitrary: value },
    { weight: 8, arbitrary: text },
    { weight: 1, arbitrary: seed.map(textOf) },
    { weight: 1, arbitrary: fc.json({ maxDepth: 3 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
  );
}

/** A corpus holds values, and texts that are no JSON as they stand (tokens, frames of several lines). */
export const textOf = (seed: unknown): string =>
  typeof seed === 'string' ? seed : (JSON.stringify(seed) ?? '');

type Holder = Record<string, unknown>;

function editValue(seed: unknown, edits: readonly ValueEdit[]): unknown {
  const root: Holder = { value: structuredClone(seed) };
  for (const { at, how, name, value: shared } of edits) {
    const value: unknown = JSON.parse(JSON.stringify(shared)); // a copy, own `__proto__` and all
    const places = placesIn(root);
    const { holder, key } = places[at % places.length] ?? { holder: root, key: 'value' };
    const old = holder[key];
    if (how === 'remove' && holder !== root) delete holder[key];
    else if (how === 'add' && Array.isArray(old)) old.push(value);
    else if (how === 'add' && isHolder(old)) put(old, name, value);
    else if (how === 'repeat' && Array.isArray(old)) old.push(...old.slice(0, 100));
    else if (how === 'wrap') put(holder, key, at % 2 === 0 ? [old] : { [name]: old });
    else put(holder, key, value);
  }
  return root['value'];
}

/** As an own member, whatever its name: assigning to `__proto__` would set the prototype. */
function put(holder: Holder, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

const MOST_PLACES = 400;

function placesIn(root: Holder): { holder: Holder; key: string }[] {
  const places = [{ holder: root, key: 'value' }];
  for (let next = 0; next < places.length && places.length < MOST_PLACES; next += 1) {
    const { holder, key } = places[next] ?? { holder: root, key: 'value' };
    const child = Object.hasOwn(holder, key) ? holder[key] : undefined;
    if (isHolder(child)) places.push(...Object.keys(child).map((name) => ({ holder: child, key: name })));
  }
  return places;
}

const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;

function editText(before: string, { at, how, length, text }: TextEdit): string {
  const from = before.length === 0 ? 0 : at % before.length;
  const [head, tail] = [before.slice(0, from), before.slice(from)];
  if (how === 'flip')
    return `${head}${String.fromCharCode(tail.charCodeAt(0) ^ (1 << (length % 8)))}${tail.slice(1)}`;
  if (how === 'drop') return head + tail.slice(length);
  if (how === 'end') return head;
  if (how === 'repeat') return head + tail.slice(0, length) + tail;
  return head + text + tail;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
