import type { Socket } from 'node:net';

/** Length of what follows, and how many messages that is: two 32-bit numbers in front of each frame. */
const HEAD_BYTES = 8;

export function writeFrame(socket: Socket, messages: number, body: Buffer): void {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt32LE(messages, 4);
  socket.cork();
  socket.write(head);
  socket.write(body);
  socket.uncork();
}

/** Calls back with every frame that has come in whole. */
export function onFrames(socket: Socket, heard: (messages: number, body: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (data.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + data.readUInt32LE(0);
      if (data.length < end) break;
      heard(data.readUInt32LE(4), data.subarray(HEAD_BYTES, end));
      data = data.subarray(end);
    }
    rest = data;
  });
}
