import { expect, test } from 'vitest';
import { FrameFinder } from './frame-finder.ts';

const head = Buffer.from('GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n');
const frames = [
  Buffer.from([0x81, 0x00]),
  Buffer.concat([Buffer.from([0x81, 0x85, 1, 2, 3, 4]), Buffer.alloc(5)]), // masked
  Buffer.concat([Buffer.from([0x82, 126, 0x01, 0x00]), Buffer.alloc(256, 0x81)]),
  Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), Buffer.alloc(65_536)]),
  Buffer.from([0x89, 0x01, 0x21]),
];
const stream = Buffer.concat([head, ...frames]);
const begins = frames.map((_, index) => Buffer.concat([head, ...frames.slice(0, index)]).length);

test.each([1, 2, 3, 7, 1000, stream.length])(
  'when the stream comes in pieces of %i bytes, every frame is found',
  (size) => {
    const finder = new FrameFinder();
    const found: number[] = [];
    for (let at = 0; at < stream.length; at += size)
      found.push(...finder.feed(stream.subarray(at, at + size)).map((offset) => at + offset));
    expect(found).toEqual(begins);
  },
);
