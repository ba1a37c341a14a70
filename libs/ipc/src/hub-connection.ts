import type { BowlineError } from '@bowline/runtime/errors';
import { TransientError } from '@bowline/runtime/errors';
import type { Clock } from '@bowline/runtime';
import { IPCProtocolError } from 'node-ipc';
import { Channel } from './channel.ts';
import { TO_APP, TO_HUB } from './contract.ts';
import type { IpcCounters } from './counters.ts';
import { FRAME_EVENT, type Frame } from './frame-parser.ts';
import { newIpcModule } from './ipc-module.ts';
import type { IpcLimits } from './limits.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { WriteQueue } from './write-queue.ts';

export interface HubConnectionOptions {
  path: string;
  limits: IpcLimits;
  clock: Clock;
  log: ThrottledLog;
  counters: IpcCounters;
  onRequest(name: string, body: unknown): unknown;
  onNotification(name: string, body: unknown): void;
  /** The socket is connected: register now. */
  onOpen(): void;
  /** There is room again after `window-full`. */
  onRoom(): void;
  /** Once, also if the socket could not be connected. */
  onClosed(error: BowlineError): void;
}

const HUB = 'hub';

/** One connection to the hub, from the attempt to its end; the next one is a new object. */
export class HubConnection {
  readonly channel: Channel;
  readonly #close: (error: BowlineError) => void;

  constructor(options: HubConnectionOptions) {
    const { path, limits, clock, log, counters } = options;
    const ipc = newIpcModule({ path, limits, groupAccess: false });
    ipc.connectTo(HUB, path, () => {});
    const client = ipc.of[HUB];
    if (client === undefined) throw new TypeError('node-ipc made no client');
    const { socket } = client;

    const writes = new WriteQueue(
      {
        write: (messages) => client.emit(FRAME_EVENT, messages),
        pendingBytes: () => socket.writableLength,
      },
      limits,
      options.onRoom,
    );
    this.channel = new Channel({
      ours: TO_HUB,
      theirs: TO_APP,
      writes,
      limits,
      clock,
      log,
      counters,
      onRequest: options.onRequest,
      onRoom: options.onRoom,
      onNotification: options.onNotification,
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      abort: (reason) => {
        counters.droppedConnections += 1;
        this.close(away(reason));
      },
    });

    let cause = 'the connection to the hub ended';
    let open = true;
    this.#close = (error) => {
      if (!open) return;
      open = false;
      writes.flush();
      writes.close();
      ipc.disconnect(HUB);
      this.channel.end(error);
      options.onClosed(error);
    };

    socket.on('drain', () => writes.drained());
    client.on('connect', options.onOpen);
    client.on('disconnect', () => this.close(away(cause)));
    client.on('error', (error: Error) => {
      if (error instanceof IPCProtocolError) counters.badFrames += 1;
      cause = error.message;
    });
    client.on(FRAME_EVENT, (frame: Frame) => {
      client.clearMessageTimer(socket);
      this.channel.receive(frame);
    });
  }

  /** Hands over what waits, then ends the connection; what is outstanding fails with `error`. */
  close(error: BowlineError): void {
    this.#close(error);
  }
}

export const away = (why: string) => new TransientError('hub-away', `the gateway's hub is away: ${why}`);
