import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A way to the server of its own, which knows whether anybody goes it now. One that leads nowhere takes connections and says nothing. */
export class Relay {
  /** Port of the server; undefined: it leads nowhere. */
  target: number | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async open(): Promise<Relay> {
    const relay = new Relay();
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  private constructor() {
    this.#server = createServer((from) => {
      this.#keep(from);
      if (this.target === undefined) return void from.resume();
      const to = connect(this.target, '127.0.0.1');
      to.on('error', () => from.destroy());
      to.on('close', () => from.destroy());
      from.on('close', () => to.destroy());
      from.pipe(to).pipe(from);
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get isUsed(): boolean {
    return this.#sockets.size > 0;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined); // `close` follows
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
