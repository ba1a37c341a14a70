/**
 * The bare pipeline's gateway: what comes in one array is one record of LMDB and, once durable, one frame on the WebSocket;
 * the server's receipt deletes it. It looks into nothing, counts nothing and protects nothing: that is the ceiling.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { open } from 'lmdb';
import { WebSocket } from 'ws';
import { work } from '../worker.ts';
import { onFrames, writeFrame } from './bare-frames.ts';

let deleted = 0;
let emptied: (() => void) | undefined;
let awaited = Infinity;

work({
  async start({ folder, path, port }: { folder: string; path: string; port: number }) {
    const db = open<Buffer, number>({ path: folder, encoding: 'binary', overlappingSync: false });
    const link = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    await once(link, 'open');
    const waiting = new Map<number, number>();
    let last = 0;
    let receipted = 0;

    const server = createServer((app) => {
      onFrames(app, (messages, body) => {
        const seq = (last += 1);
        waiting.set(seq, messages);
        void db.put(seq, body).then(() => {
          writeFrame(app, messages, Buffer.alloc(0));
          const frame = Buffer.allocUnsafe(8 + body.length);
          frame.writeDoubleLE(seq, 0);
          body.copy(frame, 8);
          link.send(frame);
        });
      });
    });
    link.on('message', (data: Buffer) => {
      const upTo = data.readDoubleLE(0);
      let messages = 0;
      let removed: Promise<unknown> = Promise.resolve();
      for (let seq = receipted + 1; seq <= upTo; seq += 1) {
        removed = db.remove(seq);
        messages += waiting.get(seq) ?? 0;
        waiting.delete(seq);
      }
      receipted = upTo;
      void removed.then(() => {
        deleted += messages;
        if (deleted >= awaited) emptied?.();
      });
    });
    server.listen(path);
    await once(server, 'listening');
  },

  /** Resolves when so many messages, counted from the start, are receipted and deleted. */
  async untilDeleted({ messages }: { messages: number }) {
    if (deleted >= messages) return;
    awaited = messages;
    await new Promise<void>((resolve) => (emptied = resolve));
  },
});
