/** The bare pipeline's server: stores each frame as it is, and says so once it is durable. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { open } from 'lmdb';
import { WebSocketServer } from 'ws';
import { work } from '../worker.ts';

work({
  async start({ folder }: { folder: string }) {
    const db = open<Buffer, number>({ path: folder, encoding: 'binary', overlappingSync: false });
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await once(server, 'listening');
    server.on('connection', (link) => {
      let stored = 0;
      let due = false;
      const receipt = () => {
        due = false;
        const data = Buffer.allocUnsafe(8);
        data.writeDoubleLE(stored, 0);
        link.send(data);
      };
      link.on('message', (frame: Buffer) => {
        const seq = frame.readDoubleLE(0);
        void db.put(seq, frame).then(() => {
          stored = seq;
          if (!due) setImmediate(receipt); // one receipt for all that shared the commit
          due = true;
        });
      });
    });
    return { port: (server.address() as AddressInfo).port };
  },
});
