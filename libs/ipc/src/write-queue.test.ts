import { setImmediate as nextTick } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FramePart } from './frame-parser.ts';
import { FRAMING_BYTES } from './limits.ts';
import { WriteQueue } from './write-queue.ts';

/** A kernel that takes what it is told to, one frame after the other. */
function kernel({ takes = true } = {}) {
  const state = { takes, frames: [] as string[][], pendingBytes: 0 };
  return {
    state,
    sink: {
      write(parts: readonly FramePart[]) {
        const texts = parts.map(({ text }) => text);
        state.frames.push(texts);
        if (!state.takes) state.pendingBytes += texts.join(',').length;
        return state.takes;
      },
      pendingBytes: () => state.pendingBytes,
    },
  };
}

const LARGE = 1_000_000;

describe('WriteQueue', () => {
  it('when messages are added in one tick and its promises, they leave in one write, in order', async () => {
    const { state, sink } = kernel();
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    writes.add({ text: '1' }, LARGE);
    void Promise.resolve()
      .then(() => writes.add({ text: '2' }, LARGE))
      .then(() => writes.add({ text: '3' }, LARGE));
    await nextTick();
    expect(state.frames).toEqual([['1', '2', '3']]);
    writes.add({ text: '4' }, LARGE);
    await nextTick();
    expect(state.frames).toEqual([['1', '2', '3'], ['4']]);
  });

  it('when a message alone is worth a write, it leaves at once with what waits', () => {
    const { state, sink } = kernel();
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    writes.add({ text: '1' }, LARGE);
    expect(state.frames).toEqual([]);
    writes.add({ text: '2', lines: 'x'.repeat(32 * 1024) }, LARGE);
    expect(state.frames).toEqual([['1', '2']]);
  });

  it('when they are more than a frame holds, they leave in several', () => {
    const { state, sink } = kernel();
    const writes = new WriteQueue(sink, { frameBytes: FRAMING_BYTES + 10 });
    for (const text of ['aaaa', 'bbbb', 'cccc', 'dddddddddddddddd']) writes.add({ text: text }, LARGE);
    writes.flush();
    expect(state.frames).toEqual([['aaaa', 'bbbb'], ['cccc'], ['dddddddddddddddd']]);
  });

  it('when the kernel takes no more, messages wait for the drain and then leave together', async () => {
    const { state, sink } = kernel({ takes: false });
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    writes.add({ text: '1' }, LARGE);
    await nextTick();
    for (const text of ['2', '3']) {
      writes.add({ text: text }, LARGE);
      await nextTick();
    }
    expect(state.frames).toEqual([['1']]);
    Object.assign(state, { takes: true, pendingBytes: 0 });
    writes.drained();
    expect(state.frames).toEqual([['1'], ['2', '3']]);
  });

  it('when the window is full, what waits here and in the kernel both count, and bytes do, not characters', async () => {
    const { state, sink } = kernel({ takes: false });
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    expect(writes.add({ text: 'x'.repeat(59) }, 100)).toBe(true);
    await nextTick();
    expect(state.pendingBytes).toBe(59);
    expect(writes.add({ text: 'é'.repeat(25) }, 100)).toBe(false);
    expect(writes.add({ text: 'e'.repeat(25) }, 100)).toBe(true);
    expect(writes.add({ text: 'e'.repeat(25) }, 100)).toBe(false);
    expect(writes.add({ text: 'e'.repeat(25) }, 200)).toBe(true);
  });

  it('when lines go with a message, their bytes count too', () => {
    const { sink } = kernel();
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    expect(writes.add({ text: '1', lines: 'é'.repeat(50) }, 102)).toBe(false);
    expect(writes.add({ text: '1', lines: 'é'.repeat(50) }, 103)).toBe(true);
  });

  it('when a message was refused, the owner is told once there is room again', async () => {
    let told = 0;
    const { state, sink } = kernel({ takes: false });
    const writes = new WriteQueue(sink, { frameBytes: LARGE }, () => (told += 1));
    writes.add({ text: 'x'.repeat(90) }, 100);
    expect(writes.add({ text: 'x'.repeat(90) }, 100)).toBe(false);
    await nextTick();
    expect(told).toBe(0);
    Object.assign(state, { takes: true, pendingBytes: 0 });
    writes.drained();
    writes.drained();
    expect(told).toBe(1);
  });

  it('when it is closed, nothing is written or taken any more', async () => {
    const { state, sink } = kernel();
    const writes = new WriteQueue(sink, { frameBytes: LARGE });
    writes.add({ text: '1' }, LARGE);
    writes.close();
    expect(writes.add({ text: '2' }, LARGE)).toBe(false);
    await nextTick();
    expect(state.frames).toEqual([]);
  });
});
