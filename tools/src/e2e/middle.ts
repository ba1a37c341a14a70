import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterThisFile } from '@bowline/testing';

/** Stands between a device and its server, reads what the device says, and keeps answers back where a test wants that. */
export class Middle {
  /** `all-but-one`: the last byte of what the server says never comes. */
  passesOn: 'everything' | 'nothing' | 'all-but-one' = 'everything';
  /** How often the server has said something that was kept back. */
  kept = 0;
  /** Where the server listens. */
  target = 0;
  readonly port: number;
  readonly #said: string[] = [];

  static async start(): Promise<Middle> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const middle = new Middle((server.address() as AddressInfo).port);
    const sockets = new Set<Socket>();
    server.on('connection', (device) => {
      const upward = connect(middle.target, '127.0.0.1');
      for (const socket of [device, upward]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
      }
      device.on('data', (data) => middle.#said.push(data.toString('latin1')));
      device.pipe(upward);
      upward.on('data', (data: Buffer) => middle.#answer(device, data));
      upward.on('close', () => device.destroy());
      device.on('close', () => upward.destroy());
    });
    afterThisFile(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return middle;
  }

  private constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Payloads of every JWS that the device has sent: proofs of enrolment and link tokens. */
  signed(): Record<string, unknown>[] {
    const jws = /eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]{86}/g;
    return [...this.#said.join('').matchAll(jws)].map(
      ([, payload = '']) =>
        JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>,
    );
  }

  #answer(device: Socket, data: Buffer): void {
    if (this.passesOn === 'everything') {
      device.write(data);
      return;
    }
    this.kept += 1;
    if (this.passesOn === 'all-but-one') device.write(data.subarray(0, -1));
  }
}
