import type { Socket } from 'node:net';
import type { HubApp } from '@bowline/messages/hub/apps';
import { TransientError } from '@bowline/runtime/errors';
import type { Clock, Timer } from '@bowline/runtime';
import { IPCProtocolError, type IPCModule } from 'node-ipc';
import { Channel } from './channel.ts';
import { TO_APP, TO_HUB } from './contract.ts';
import type { IpcCounters } from './counters.ts';
import { FRAME_EVENT, type Frame, type FramePart } from './frame-parser.ts';
import { newIpcModule } from './ipc-module.ts';
import type { IpcLimits } from './limits.ts';
import type { ThrottledLog } from './throttled-log.ts';
import { WriteQueue } from './write-queue.ts';

/** A registered app. What it says of itself is information; which app it is, its socket proves. */
export interface Peer {
  app: HubApp;
  version: string;
  pid: number;
  orderTypes: readonly string[];
  /** When it registered, epoch milliseconds. */
  since: number;
}

/** One connection on the socket of one app. */
export interface AppConnection {
  readonly app: HubApp;
  readonly channel: Channel;
  /** Set once it has registered. */
  peer: Peer | undefined;
  /** Asked to register; a second time is refused. */
  registering: boolean;
  readonly closed: boolean;
  /** Ends the connection and fails what is outstanding. */
  drop(reason: string): void;
}

export interface AppSocketOptions {
  app: HubApp;
  path: string;
  groupAccess: boolean;
  limits: IpcLimits;
  registerWithinMs: number;
  clock: Clock;
  log: ThrottledLog;
  counters: IpcCounters;
  onRequest(connection: AppConnection, name: string, body: unknown): unknown;
  onNotification(connection: AppConnection, name: string, body: unknown): void;
  onClosed(connection: AppConnection): void;
}

/** The hub's side of one app: its socket and the connections on it. */
export class AppSocket {
  readonly #options: AppSocketOptions;
  readonly #ipc: IPCModule;
  readonly #connections = new Map<Socket, Connection>();

  constructor(options: AppSocketOptions) {
    this.#options = options;
    this.#ipc = newIpcModule(options);
  }

  /** Resolves when the socket listens; rejects with Node's error. */
  listen(): Promise<void> {
    const { path, counters, log } = this.#options;
    return new Promise((resolve, reject) => {
      this.#ipc.serve(path, resolve);
      const { server } = this.#ipc;
      server.on('connect', (socket) =>
        this.#connections.set(socket, new Connection(this.#ipc, socket, this.#options)),
      );
      server.on('close', (socket) => {
        this.#connections.get(socket)?.drop('it was closed');
        this.#connections.delete(socket);
      });
      server.on(FRAME_EVENT, (frame: Frame, socket) => {
        server.clearMessageTimer(socket);
        this.#connections.get(socket)?.channel.receive(frame);
      });
      server.on('error', (error) => {
        if (error instanceof IPCProtocolError) counters.badFrames += 1;
        log.write('warn', { error: error.message }, 'socket error');
        reject(error);
      });
      server.start();
    });
  }

  /** Those that have registered, oldest first. */
  registered(): AppConnection[] {
    return [...this.#connections.values()].filter(({ peer, closed }) => peer !== undefined && !closed);
  }

  /** Ends every connection and removes the socket. */
  close(): Promise<void> {
    const listener = this.#ipc.server.server;
    const closed = new Promise<void>((resolve) => {
      if (listener === false) resolve();
      else listener.once('close', resolve);
    });
    for (const connection of this.#connections.values()) connection.drop('the hub is closing');
    this.#ipc.server.stop();
    return closed;
  }
}

class Connection implements AppConnection {
  readonly app: HubApp;
  readonly channel: Channel;
  peer: Peer | undefined;
  registering = false;
  closed = false;
  readonly #socket: Socket;
  readonly #writes: WriteQueue;
  readonly #options: AppSocketOptions;
  readonly #registerTimer: Timer;

  constructor(ipc: IPCModule, socket: Socket, options: AppSocketOptions) {
    const { app, clock, limits, log, counters } = options;
    this.app = app;
    this.#socket = socket;
    this.#options = options;
    const sink = {
      write: (messages: readonly FramePart[]) => ipc.server.emit(socket, FRAME_EVENT, messages),
      pendingBytes: () => socket.writableLength,
    };
    this.#writes = new WriteQueue(sink, limits);
    socket.on('drain', () => this.#writes.drained());
    this.channel = new Channel({
      ours: TO_APP,
      theirs: TO_HUB,
      writes: this.#writes,
      limits,
      clock,
      log,
      counters,
      onRequest: (name, body) => options.onRequest(this, name, body),
      onNotification: (name, body) => options.onNotification(this, name, body),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      abort: (reason) => this.#cut(reason),
    });
    this.#registerTimer = clock.after(options.registerWithinMs, () => {
      if (this.peer === undefined) this.#cut('it did not register in time');
    });
  }

  drop(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#registerTimer.cancel();
    this.#writes.flush();
    this.#writes.close();
    this.#socket.destroy();
    this.channel.end(new TransientError('app-away', `the connection to ${this.app} ended: ${reason}`));
    this.#options.onClosed(this);
  }

  #cut(reason: string): void {
    this.#options.counters.droppedConnections += 1;
    this.#options.log.write('warn', { pid: this.peer?.pid, reason }, 'connection dropped');
    this.drop(reason);
  }
}
