import { IPCProtocolError } from 'node-ipc';
import { describe, expect, it } from 'vitest';
import { createFrameParser, FRAME_EVENT, type Frame } from './frame-parser.ts';
import { limitsFrom } from './limits.ts';

const parser = createFrameParser(limitsFrom({ frameBytes: 1000 }));

/** Feeds the chunks one after the other, as node-ipc does. */
function read(...chunks: string[]) {
  const frames: Frame[] = [];
  let state: Parameters<typeof parser.read>[0] = '';
  for (const chunk of chunks) state = parser.read(state, chunk, ({ data }) => frames.push(data));
  return { messages: frames.map(({ messages }) => messages), state };
}

const encoded = (...messages: unknown[]) =>
  parser
    .encode(
      FRAME_EVENT,
      messages.map((message) => ({ text: JSON.stringify(message) })),
    )
    .toString();

describe('frame parser', () => {
  it('when a frame comes in any pieces, it is read whole and nothing stays behind', () => {
    const text = encoded(['a', 1], { text: 'form\ffeed, "quote", é' }) + encoded(['b']);
    const expected = [[['a', 1], { text: 'form\ffeed, "quote", é' }], [['b']]];
    for (let cut = 0; cut <= text.length; cut += 1) {
      expect(read(text.slice(0, cut), text.slice(cut))).toEqual({ messages: expected, state: '' });
    }
    expect(read(...text)).toEqual({ messages: expected, state: '' });
  });

  it('when lines follow, they come with the frame in the order of the messages that bring them, unparsed', () => {
    const text = parser
      .encode(FRAME_EVENT, [{ text: '1', lines: '{"a":\n[é' }, { text: '2' }, { text: '3', lines: '' }])
      .toString();
    const frames: Frame[] = [];
    parser.read('', text, ({ data }) => frames.push(data));
    expect(frames).toEqual([{ messages: [1, 2, 3], lines: ['{"a":', '[é', ''], bytes: text.length - 1 }]);
  });

  it('when a frame has more lines than a few requests may bring, node-ipc is told to end the connection', () => {
    const roomy = createFrameParser(limitsFrom());
    const text = (lines: number) => `{"type":"messages","data":[]}${'\n'.repeat(lines)}\f`;
    const feed = (lines: number) => roomy.read('', text(lines), () => {});
    expect(() => feed(40_000)).not.toThrow();
    expect(() => feed(40_001)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });

  it('when a frame is not complete, its beginning is kept', () => {
    expect(read(encoded(['a']).slice(0, -1)).state).not.toBe('');
  });

  it.each([
    ['broken JSON', '{"type":"messages","data":[}\f', 'broken-json'],
    ['no object', '[1]\f', 'invalid'],
    ['null', 'null\f', 'invalid'],
    ['empty', '\f', 'broken-json'],
    ['of another event', '{"type":"connect","data":[]}\f', 'invalid'],
    ['without a list', '{"type":"messages","data":{}}\f', 'invalid'],
    ['nested too deep', `{"type":"messages","data":[${'['.repeat(60)}${']'.repeat(60)}]}\f`, 'too-deep'],
    ['too large', `{"type":"messages","data":["${'x'.repeat(1000)}"]}\f`, 'too-large'],
    ['too large in bytes only', `{"type":"messages","data":["${'é'.repeat(600)}"]}\f`, 'too-large'],
  ])('when a frame is %s, node-ipc is told to end the connection', (_what, text, code) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code }));
    expect(() => read(text)).toThrow(IPCProtocolError);
  });

  it('when a frame grows beyond the cap without an end, it is refused before it is complete', () => {
    const chunks = Array.from({ length: 11 }, () => 'x'.repeat(100));
    expect(() => read(...chunks.slice(0, 10))).not.toThrow();
    expect(() => read(...chunks)).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});
