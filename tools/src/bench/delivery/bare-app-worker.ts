/** The bare pipeline's app: one JSON array a tick into a unix socket, so many messages outstanding as it is told. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { NewMessage } from '@bowline/ipc';
import { seededRandom } from '@bowline/testing';
import { message } from '../message.ts';
import { work } from '../worker.ts';
import { onFrames, writeFrame } from './bare-frames.ts';

let socket: Socket | undefined;
let random = seededRandom(1);
let prepared: NewMessage[] = [];
let acknowledged: (messages: number) => void = () => {};

work({
  async connect({ path, seed }: { path: string; seed: number }) {
    random = seededRandom(seed);
    socket = connect(path);
    await once(socket, 'connect');
    onFrames(socket, (messages) => acknowledged(messages));
  },

  prepare({ count }: { count: number }) {
    prepared = Array.from({ length: count }, () => message(random));
  },

  run({ outstanding }: { outstanding: number }) {
    const begunAt = performance.now();
    let sent = 0;
    let done = 0;
    let due = false;
    return new Promise<number>((resolve) => {
      const send = () => {
        due = false;
        const array = prepared.slice(sent, done + outstanding);
        if (array.length === 0 || socket === undefined) return;
        sent += array.length;
        writeFrame(socket, array.length, Buffer.from(JSON.stringify(array)));
      };
      acknowledged = (messages) => {
        done += messages;
        if (done === prepared.length) return resolve(performance.now() - begunAt);
        if (!due) setImmediate(send);
        due = true;
      };
      send();
    });
  },
});
