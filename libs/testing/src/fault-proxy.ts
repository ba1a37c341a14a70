import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterThisFile } from './clean-up.ts';
import { FaultPipe, FAIR, type Weather } from './fault-pipe.ts';
import type { SeededRandom } from './seeded-random.ts';

/** `up`: from the device to the server. */
export type Direction = 'up' | 'down';
const DIRECTIONS: readonly Direction[] = ['up', 'down'];

/** What a connection keeps of its bytes upwards, for `replay`. */
const MOST_RECORDED_BYTES = 1 << 20;

/** A connection through the proxy. */
export class ProxiedConnection {
  readonly device: Socket;
  readonly server: Socket;
  readonly pipes: Record<Direction, FaultPipe>;
  readonly #recorded: Buffer[] = [];
  #recordedBytes = 0;

  constructor(device: Socket, server: Socket, weather: Record<Direction, Weather>, random: SeededRandom) {
    this.device = device;
    this.server = server;
    this.pipes = {
      up: new FaultPipe({ from: device, to: server, weather: weather.up, random }),
      down: new FaultPipe({ from: server, to: device, weather: weather.down, random }),
    };
    device.on('data', (bytes: Buffer) => {
      this.#recordedBytes += bytes.length;
      if (this.#recordedBytes <= MOST_RECORDED_BYTES) this.#recorded.push(bytes);
    });
  }

  /** Both sides may still be there. */
  get open(): boolean {
    return !this.device.destroyed && !this.server.destroyed;
  }

  /** Everything that the device has sent, from the request for the upgrade on; empty when it was more than 1 MiB. */
  get recorded(): Buffer {
    return this.#recordedBytes > MOST_RECORDED_BYTES ? Buffer.alloc(0) : Buffer.concat(this.#recorded);
  }

  /** Resets both sides, without a word of WebSocket's own. */
  cut(): void {
    for (const pipe of Object.values(this.pipes)) pipe.stop();
    this.device.resetAndDestroy();
    this.server.resetAndDestroy();
  }
}

/**
 * A bad network between a device and its server: a TCP proxy on a loopback port of its own that passes bytes on until it
 * is told to do harm. Whatever is random follows the seed.
 *
 * What a proxy at this level can do: lose, hold up, delay and slow the bytes of either direction; end one side or both
 * at any byte; add bytes; hand the bytes of an older connection to the server *after* those of a newer one (`strand`);
 * send the bytes of a connection once more on a new one (`replay`).
 *
 * What it cannot: lose, duplicate or swap single packets so that TCP repairs it (the kernels on both sides see an
 * intact loopback), or duplicate and reorder frames *within* a connection: to the receiver that is a broken
 * stream, and `garbage` is the honest form of it. A connection that lost bytes stays lost after `heal`: nothing could make its
 * stream whole again.
 */
export class FaultProxy {
  /** All connections so far, oldest first, those of HTTP requests too. */
  readonly connections: ProxiedConnection[] = [];
  readonly #target: number;
  readonly #random: SeededRandom;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stranded = new Set<ProxiedConnection>();
  readonly #weather: Record<Direction, Weather> = { up: FAIR, down: FAIR };
  #slowLorisEveryMs: number | undefined;

  /** @param target port of the server on 127.0.0.1. */
  static async start(target: number, random: SeededRandom): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, random);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    afterThisFile(() => proxy.close());
    return proxy;
  }

  private constructor(target: number, random: SeededRandom) {
    this.#target = target;
    this.#random = random;
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (device) => this.#accept(device));
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  // ── Weather: of all connections, those that are open and those to come, until `heal` ──────────────────────────────

  change(direction: Direction | 'both', change: Partial<Weather>): void {
    for (const each of DIRECTIONS.filter((one) => direction === 'both' || direction === one)) {
      this.#weather[each] = { ...this.#weather[each], ...change };
      for (const connection of this.#reachable()) connection.pipes[each].weather = this.#weather[each];
    }
  }

  /** A black hole: bytes vanish, and so does the news that a side ended. */
  drop(direction: Direction | 'both'): void {
    this.change(direction, { flow: 'drop' });
  }

  /** Bytes wait for `heal`, as when every packet is lost and sent again. */
  hold(direction: Direction | 'both'): void {
    this.change(direction, { flow: 'hold' });
  }

  /**
   * New connections get the beginning of an answer, one letter every `everyMs`, and never its end: each byte is a sign of
   * life to whoever counts only silence. The server is not asked.
   */
  slowLoris(everyMs: number): void {
    this.#slowLorisEveryMs = everyMs;
  }

  heal(): void {
    this.#slowLorisEveryMs = undefined;
    this.change('both', FAIR);
  }

  // ── Single blows: to the connections that are open now ────────────────────────────────────────────────────────────

  /** Resets both sides at once. */
  cut(): void {
    for (const connection of this.#reachable()) connection.cut();
  }

  /** The next WebSocket frame comes only in part, at least one byte of it; then the stream ends, and its sender is reset. */
  cutMidFrame(direction: Direction): void {
    for (const { pipes } of this.#reachable()) pipes[direction].atNextFrame = { kind: 'cut' };
  }

  /** Random bytes before the next WebSocket frame: the receiver takes them for frames. */
  garbage(direction: Direction, sizeBytes: number): void {
    const bytes = Buffer.from(Array.from({ length: sizeBytes }, () => this.#random.integer(0, 255)));
    for (const { pipes } of this.#reachable()) pipes[direction].atNextFrame = { kind: 'insert', bytes };
  }

  /** The connection is over, but `believer` is never told and nothing that it sends arrives. */
  halfOpen(believer: 'device' | 'server'): void {
    for (const { pipes, device, server } of this.#reachable()) {
      pipes.up.swallow();
      pipes.down.swallow();
      (believer === 'device' ? server : device).resetAndDestroy();
    }
  }

  /**
   * Resets the device's side of the newest connection, while what was held back on its way up stays in the network
   * (so `hold('up')` first). The server is not told.
   *
   * @returns delivers that to the server, after whatever newer connections have brought by then.
   */
  strand(): () => void {
    const connection = this.#reachable().at(-1);
    if (connection === undefined) throw new Error('no connection to strand');
    this.#stranded.add(connection);
    connection.pipes.down.swallow();
    connection.pipes.up.loseEnd();
    connection.device.resetAndDestroy();
    return () => (connection.pipes.up.weather = FAIR);
  }

  /**
   * Opens a connection of its own to the server and sends once more all that the device sent on `connection`.
   *
   * @returns what the server answers until it closes or has said `untilBytes`.
   */
  async replay(connection: ProxiedConnection, untilBytes = 12): Promise<string> {
    if (connection.recorded.length === 0) throw new Error('nothing was recorded, or too much');
    const socket = this.#keep(connect(this.#target, '127.0.0.1'));
    socket.write(connection.recorded);
    let answer = '';
    await new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        answer += bytes.toString('latin1');
        if (answer.length >= untilBytes) resolve();
      });
      socket.on('close', () => resolve());
    });
    return answer;
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.cut();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#listener.close(() => resolve()));
  }

  #reachable(): ProxiedConnection[] {
    return this.connections.filter((each) => each.open && !this.#stranded.has(each));
  }

  #accept(device: Socket): void {
    this.#keep(device);
    if (this.#slowLorisEveryMs !== undefined) return this.#trickle(device, this.#slowLorisEveryMs);
    const server = this.#keep(
      connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }),
    );
    this.connections.push(new ProxiedConnection(device, server, this.#weather, this.#random));
  }

  #trickle(device: Socket, everyMs: number): void {
    device.write('HTTP/1.1 101 Switching Protocols\r\nX-Slow: ');
    const timer = setInterval(
      () => device.write(String.fromCharCode(this.#random.integer(97, 122))),
      everyMs,
    );
    device.resume();
    device.on('end', () => device.destroy());
    device.on('close', () => clearInterval(timer));
  }

  /** A reset comes as an error: `close`, which follows, says all that matters. */
  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
