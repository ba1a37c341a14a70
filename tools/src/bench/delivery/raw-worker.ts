/** The raw parts alone: the other end of a WebSocket and of a unix socket; commits of LMDB; fdatasync. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { open } from 'lmdb';
import { WebSocket } from 'ws';
import { MESSAGE_BYTES } from '../message.ts';
import { work } from '../worker.ts';

const payload = Buffer.alloc(MESSAGE_BYTES, 'x');
let db: ReturnType<typeof openStore> | undefined;
let seq = 0;

const openStore = (folder: string) =>
  open<Buffer, number>({ path: join(folder, 'raw'), encoding: 'binary', overlappingSync: false });

work({
  /** Sends back whatever comes. */
  async echo({ port, path }: { port: number; path: string }) {
    const link = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
    link.on('message', (data: Buffer) => link.send(data));
    await once(link, 'open');
    const socket = connect(path);
    socket.on('data', (chunk) => socket.write(chunk));
    await once(socket, 'connect');
  },

  /** Milliseconds of each commit of one record, one after the other. */
  async commits({ folder, count }: { folder: string; count: number }) {
    db ??= openStore(folder);
    const times: number[] = [];
    for (let done = 0; done < count; done += 1) {
      const begunAt = performance.now();
      await db.put((seq += 1), payload);
      times.push(performance.now() - begunAt);
    }
    return times;
  },

  /** Milliseconds for `count` records of one message each, `outstanding` at a time. */
  async puts({ folder, count, outstanding }: { folder: string; count: number; outstanding: number }) {
    db ??= openStore(folder);
    const store = db;
    const begunAt = performance.now();
    let left = count;
    const caller = async () => {
      while (left-- > 0) await store.put((seq += 1), payload);
    };
    await Promise.all(Array.from({ length: outstanding }, caller));
    return performance.now() - begunAt;
  },

  /** Milliseconds of each write of a page with its fdatasync. */
  syncs({ folder, count }: { folder: string; count: number }) {
    const file = openSync(join(folder, 'raw-file'), 'w');
    const page = Buffer.alloc(4096, 'x');
    const times: number[] = [];
    for (let done = 0; done < count; done += 1) {
      const begunAt = performance.now();
      writeSync(file, page);
      fdatasyncSync(file);
      times.push(performance.now() - begunAt);
    }
    closeSync(file);
    return times;
  },
});
