import type { Logger } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import { Channel, type ChannelOptions } from '../channel.ts';
import { TO_APP, TO_HUB } from '../contract.ts';
import { newCounters } from '../counters.ts';
import { createFrameParser, FRAME_EVENT, type FramePart } from '../frame-parser.ts';
import { limitsFrom, type IpcLimits } from '../limits.ts';
import { ThrottledLog } from '../throttled-log.ts';
import { WriteQueue, type FrameSink } from '../write-queue.ts';
import { silentLog } from './messages.ts';

type Handlers = Pick<ChannelOptions, 'onRequest' | 'onNotification'>;

export interface PairOptions {
  hub?: Partial<Handlers>;
  app?: Partial<Handlers>;
  limits?: Partial<IpcLimits>;
}

/** An app's channel and a hub's, joined by a wire in memory that can be cut in two and looked at. */
export function channelPair({ hub = {}, app = {}, limits: given = {} }: PairOptions = {}) {
  const clock = new FakeClock();
  const limits = limitsFrom(given);
  const wire = { toHub: [] as FramePart[][], toApp: [] as FramePart[][], delivers: true };

  const end = (
    ours: typeof TO_HUB,
    theirs: typeof TO_HUB,
    frames: FramePart[][],
    handlers: Partial<Handlers>,
  ) => {
    const counters = newCounters();
    const events: string[] = [];
    const sink: FrameSink = {
      write(messages) {
        frames.push([...messages]);
        if (wire.delivers) deliver(frames);
        return true;
      },
      pendingBytes: () => 0,
    };
    const channel = new Channel({
      ours,
      theirs,
      writes: new WriteQueue(sink, limits),
      limits,
      clock,
      log: new ThrottledLog(silentLog as unknown as Logger, clock),
      counters,
      onRequest: handlers.onRequest ?? (() => ({})),
      onNotification: handlers.onNotification ?? (() => {}),
      pause: () => events.push('pause'),
      resume: () => events.push('resume'),
      onRoom: () => events.push('room'),
      abort: (reason) => events.push(`abort: ${reason}`),
    });
    return { channel, counters, events };
  };

  const appEnd = end(TO_HUB, TO_APP, wire.toHub, app);
  const hubEnd = end(TO_APP, TO_HUB, wire.toApp, hub);
  const receiver = new Map([
    [wire.toHub, hubEnd.channel],
    [wire.toApp, appEnd.channel],
  ]);
  const parser = createFrameParser(limits);
  const deliver = (frames: FramePart[][]) => {
    const text = parser.encode(FRAME_EVENT, frames.at(-1) ?? []).toString();
    parser.read('', text, ({ data }) => receiver.get(frames)?.receive(data));
  };
  return { clock, wire, app: appEnd, hub: hubEnd };
}
