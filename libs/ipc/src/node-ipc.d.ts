/**
 * What we use of node-ipc 14.0.0, which ships no types. Read in its source (`services/IPC.js`, `dao/client.js`,
 * `dao/socketServer.js`, `entities/EventParser.js`).
 */
declare module 'node-ipc' {
  import type { Server as NetServer, Socket } from 'node:net';

  /** Thrown by a parser's `read`, it destroys the connection; anything else would end the process. */
  export class IPCProtocolError extends Error {
    constructor(code: string, message: string);
    readonly code: string;
  }

  /** Framing as node-ipc calls it: state of a socket in, state of the socket out. */
  export interface IpcParser<State, Body> {
    readonly raw: false;
    readonly encoding: 'utf8';
    readonly maxPendingBytes: number;
    /** How long part of a frame may stay alone, milliseconds. */
    readonly messageTimeout: number;
    encode(type: string, body: unknown): Buffer;
    read(
      state: State | '',
      chunk: string,
      receive: (message: { type: string; data: Body }) => void,
    ): State | '';
  }

  export interface IpcConfig {
    socketRoot: string;
    secureSocketRoot: boolean;
    readableAll: boolean;
    writableAll: boolean;
    unlink: boolean;
    sync: boolean;
    silent: boolean;
    maxConnections: number;
    maxRetries: number;
    stopRetrying: boolean;
    parser: unknown;
  }

  export interface IpcServer {
    /** Undefined until `start`. */
    readonly server: NetServer | false;
    on(type: string, handler: (data: never, socket: Socket) => void): this;
    on(type: 'connect' | 'close', handler: (socket: Socket) => void): this;
    on(type: 'error', handler: (error: Error) => void): this;
    /** False when the kernel did not take it at once. */
    emit(socket: Socket, type: string, body: unknown): boolean;
    /** Its timer of an incomplete frame starts once and only an empty buffer ends it: clear it at every whole frame. */
    clearMessageTimer(socket: Socket): void;
    start(): void;
    stop(): void;
  }

  export interface IpcClient {
    readonly socket: Socket;
    on(type: string, handler: (data: never) => void): this;
    /** False when the kernel did not take it at once. */
    emit(type: string, body: unknown): boolean;
    clearMessageTimer(socket: Socket): void;
  }

  export class IPCModule {
    readonly config: IpcConfig;
    readonly server: IpcServer;
    readonly of: Record<string, IpcClient | undefined>;
    serve(path: string, started: () => void): void;
    connectTo(id: string, path: string, ready: () => void): void;
    disconnect(id: string): void;
  }
}
