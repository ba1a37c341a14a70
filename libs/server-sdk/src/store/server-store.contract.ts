import { afterEach, describe, expect, it } from 'vitest';
import { put, remove, within, type ServerStore } from './server-store.ts';

const text = (value: Buffer | undefined) => value?.toString();
const write = (key: string, value: string) => ({ key, value: Buffer.from(value) });

/** What every {@link ServerStore} must do. `reopen` gives the same data again after a close. */
export function serverStoreContract(
  name: string,
  open: () => ServerStore | Promise<ServerStore>,
  reopen?: (closed: ServerStore) => ServerStore | Promise<ServerStore>,
): void {
  describe(`${name} as a server store`, () => {
    let store: ServerStore | undefined;
    const opened = async () => (store = await open());
    afterEach(async () => {
      await store?.close();
      store = undefined;
    });

    it('when something was written, it is read at once and stays after the commit', async () => {
      const store = await opened();
      const done = store.write([write('a/1', 'one'), write('a/2', 'two')]);
      expect(text(store.get('a/1'))).toBe('one');
      await done;
      expect(text(store.get('a/2'))).toBe('two');
      expect(store.get('a/3')).toBeUndefined();
    });

    it('when a key is removed, it is gone from reads and ranges at once', async () => {
      const store = await opened();
      await store.write([write('a/1', 'one'), write('a/2', 'two')]);
      const done = store.write([remove('a/1')]);
      expect(store.get('a/1')).toBeUndefined();
      expect(store.range(within('a/')).map(({ key }) => key)).toEqual(['a/2']);
      await done;
      expect(store.get('a/1')).toBeUndefined();
    });

    it('when a value comes in pieces, it is one, before the commit and after', async () => {
      const store = await opened();
      const pieces = ['one', '', 'two'].map((piece) => Buffer.from(piece));
      const done = store.write([
        { key: 'a/1', value: pieces },
        { key: 'a/2', value: () => pieces },
        { key: 'a/3', value: [] },
      ]);
      const look = () => store.range(within('a/')).map(({ value }) => text(value));
      expect(look()).toEqual(['onetwo', 'onetwo', '']);
      await done;
      expect(look()).toEqual(['onetwo', 'onetwo', '']);
      expect(text(store.get('a/1'))).toBe('onetwo');
    });

    it('when only the heads of values are asked for, they come with the length of the whole', async () => {
      const store = await opened();
      await store.write([write('a/1', 'durable'), write('a/2', 'gone')]);
      const done = store.write([write('a/3', 'not yet'), remove('a/2')]);
      const look = () =>
        store
          .range({ ...within('a/'), headBytes: 3 })
          .map(({ key, value, bytes }) => [key, text(value), bytes]);
      const expected = [
        ['a/1', 'dur', 7],
        ['a/3', 'not', 7],
      ];
      expect(look()).toEqual(expected);
      await done;
      expect(look()).toEqual(expected);
    });

    it('when one key is written twice in a turn, the last value holds', async () => {
      const store = await opened();
      const done = Promise.all([store.write([write('a', '1')]), store.write([write('a', '2')])]);
      expect(text(store.get('a'))).toBe('2');
      await done;
      expect(text(store.get('a'))).toBe('2');
    });

    it('when a range is read, it holds what is durable and what is not yet, in order, within its bounds', async () => {
      const store = await opened();
      await store.write(['a/1', 'a/3', 'a/5', 'a0', 'b/1'].map((key) => write(key, key)));
      const done = store.write([write('a/2', 'new'), write('a/5', 'changed'), remove('a/3')]);
      const look = () => store.range(within('a/')).map(({ key, value }) => [key, text(value)]);
      const expected = [
        ['a/1', 'a/1'],
        ['a/2', 'new'],
        ['a/5', 'changed'],
      ];
      expect(look()).toEqual(expected);
      expect(store.range({ ...within('a/'), reverse: true, limit: 2 }).map(({ key }) => key)).toEqual([
        'a/5',
        'a/2',
      ]);
      expect(store.range({ from: 'a/2', to: 'a/5' }).map(({ key }) => key)).toEqual(['a/2']);
      await done;
      expect(look()).toEqual(expected);
    });

    it('when names share a beginning, a range of one never holds the other', async () => {
      const store = await opened();
      await store.write(
        ['x/dev/1', 'x/dev-1/1', 'x/dev.1/1', 'x/dev1/1', 'x/dev_1/1'].map((k) => write(k, k)),
      );
      expect(store.range(within('x/dev/')).map(({ key }) => key)).toEqual(['x/dev/1']);
      expect(store.range(within('x/dev-1/')).map(({ key }) => key)).toEqual(['x/dev-1/1']);
    });

    it('when a value is large or binary, it comes back byte for byte', async () => {
      const store = await opened();
      const value = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256));
      await store.write([{ key: 'big', value }]);
      expect(store.get('big')?.equals(value)).toBe(true);
      await store.write([put('json', { a: ['ä', 1] })]);
      expect(text(store.get('json'))).toBe('{"a":["ä",1]}');
    });

    it('when many callers write at once, each sees its own end and nothing is lost', async () => {
      const store = await opened();
      await Promise.all(
        Array.from({ length: 500 }, (_, n) =>
          store.write([write(`n/${String(n).padStart(4, '0')}`, `${n}`)]),
        ),
      );
      expect(store.range(within('n/'))).toHaveLength(500);
    });

    it('when it was closed, it takes nothing more', async () => {
      const store = await opened();
      await store.close();
      await expect(store.write([write('a', '1')])).rejects.toMatchObject({ code: 'store-failed' });
    });

    if (reopen === undefined) return;
    it('when it was closed with writes under way, they are there again', async () => {
      const first = await opened();
      const done = first.write([write('a', '1')]);
      await first.close();
      await done;
      store = await reopen(first);
      expect(text(store.get('a'))).toBe('1');
    });
  });
}
