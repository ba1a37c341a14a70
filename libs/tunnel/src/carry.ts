import type { Readable, Writable } from 'node:stream';
import { TUNNEL_FRAME_BYTES } from './names.ts';
import type { TunnelEnd } from './tunnel-end.ts';
import { haveRead } from './young-memory.ts';

export interface CarriedBytes {
  /** Into the tunnel, and out of it. */
  sent: number;
  received: number;
}

/** Given to the socket and not taken yet; above it the source is not read. */
const MAX_WAITING_BYTES = 256 * 1024;

/**
 * Joins a tunnel with a local pair of streams (sshd's or ssh's pipes), with back-pressure both ways. When the source ends the
 * tunnel is closed behind its last byte; when the tunnel ends, so does the sink.
 *
 * @param onBytes is told of each piece, either way: what counts as activity.
 */
export function carry(
  end: TunnelEnd,
  { source, sink }: { source: Readable; sink: Writable },
  onBytes: (bytes: CarriedBytes) => void = () => undefined,
): CarriedBytes {
  const bytes = { sent: 0, received: 0 };
  source.on('data', (data: Buffer) => {
    haveRead(data.length);
    bytes.sent += data.length;
    for (let at = 0; at < data.length; at += TUNNEL_FRAME_BYTES) {
      end.send(data.subarray(at, at + TUNNEL_FRAME_BYTES), () => {
        if (end.waitingBytes * 2 <= MAX_WAITING_BYTES) source.resume();
      });
    }
    if (end.waitingBytes > MAX_WAITING_BYTES) source.pause();
    onBytes(bytes);
  });
  source.on('end', () => end.close(1000));
  source.on('error', () => end.close(1000));
  sink.on('error', () => end.close(1000)); // it went away: nothing more can be delivered
  sink.on('drain', () => end.resume());
  end.onBinary(
    (data) => {
      bytes.received += data.length;
      if (sink.writable && !sink.write(data)) end.pause();
      onBytes(bytes);
    },
    () => undefined,
  );
  end.onClose(() => {
    source.destroy();
    sink.end();
  });
  return bytes;
}
