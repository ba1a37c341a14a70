import { connect, type Socket } from 'node:net';
import { waitFor } from '@bowline/testing';

export interface Said {
  type: string;
  name?: string;
  code?: string;
  message?: string;
  orderId?: string;
  params?: unknown;
  attempt?: number;
  timeoutMs?: number;
  deadline?: number;
  reason?: string;
}

/** A program of the device on the command socket, which does what a test says. */
export class LocalProgram {
  readonly said: Said[] = [];
  readonly socket: Socket;
  closed = false;
  readonly #taken = new Set<Said>();

  constructor(path: string) {
    this.socket = connect(path);
    let rest = '';
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.said.push(...lines.map((line) => JSON.parse(line) as Said));
    });
    this.socket.on('error', () => undefined);
    this.socket.once('close', () => (this.closed = true));
  }

  say(message: object | string): void {
    this.socket.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`);
  }

  /** The next message of this type that no earlier call has given. */
  async hears(type: string): Promise<Said> {
    const found = await waitFor(
      () => this.said.find((each) => each.type === type && !this.#taken.has(each)),
      {
        what: `${type} to be heard; heard was ${JSON.stringify(this.said)}`,
      },
    );
    this.#taken.add(found);
    return found;
  }

  async register(command: object): Promise<Said> {
    this.say({ type: 'register', command });
    return waitFor(
      () =>
        this.said.find((each) => !this.#taken.has(each) && /^(registered|refused|error)$/.test(each.type)),
      { what: 'an answer to a registration' },
    ).then((found) => {
      this.#taken.add(found);
      return found;
    });
  }

  leave(): void {
    this.socket.destroy();
  }
}
