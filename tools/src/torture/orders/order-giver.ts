import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '@bowline/messages';
import { v7 as uuidv7 } from 'uuid';
import { DEVICE_ID, until, type TortureFleet } from '../fleet.ts';
import type { CommandName } from './commands.ts';
import type { GivenOrder } from './judge.ts';

const LOOK_EVERY_MS = 50;

/** An operator who never gives up: orders until there are enough and he is told to finish, a few under way at a time, and looks how each goes. */
export class OrderGiver {
  readonly #fleet: TortureFleet;
  readonly #given: Map<string, GivenOrder>;
  readonly #enough: number;
  #finishing = false;
  readonly #underWay: number;
  readonly #next: () => CommandName;
  readonly #open = new Set<string>();
  readonly #done: Promise<void>;

  constructor(
    fleet: TortureFleet,
    given: Map<string, GivenOrder>,
    enough: number,
    underWay: number,
    next: () => CommandName,
  ) {
    this.#fleet = fleet;
    this.#given = given;
    this.#enough = enough;
    this.#underWay = underWay;
    this.#next = next;
    this.#done = this.#work();
  }

  /** When all have been given and have ended, or one of them does not; then looks at each once more. */
  async finish(): Promise<void> {
    this.#finishing = true;
    let before = -1;
    // Each time that nothing at all ends within the limit of `until`, something hangs.
    while (this.#open.size > 0 || this.#wantsMore()) {
      const now = this.#given.size - this.#open.size;
      if (now === before) break;
      before = now;
      await until(() => this.#given.size - this.#open.size > now, 'an order to end').catch(() => undefined);
    }
    if (this.#open.size === 0) await this.#done;
    for (const orderId of this.#given.keys()) await this.#look(orderId);
  }

  async #work(): Promise<void> {
    while (this.#wantsMore() || this.#open.size > 0) {
      while (this.#open.size < this.#underWay && this.#wantsMore()) await this.#give();
      for (const orderId of this.#open) await this.#look(orderId).catch(() => undefined);
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** As long as something is to be killed, there must be something to kill. */
  #wantsMore(): boolean {
    return this.#given.size < this.#enough || !this.#finishing;
  }

  /** The same id again and again, until the server says that it has it: so it is one order, whatever was killed meanwhile. */
  async #give(): Promise<void> {
    const orderId = uuidv7();
    const name = this.#next();
    this.#given.set(orderId, { orderId, idempotent: name === 'again', status: 'queued', changed: false });
    this.#open.add(orderId);
    await until(async () => {
      try {
        await this.#fleet.api.give(DEVICE_ID, { orderId, type: 'command', payload: { name, params: {} } });
        return true;
      } catch (error) {
        return String(error).includes('order-exists');
      }
    }, 'the server to take an order');
  }

  async #look(orderId: string): Promise<void> {
    const order = this.#given.get(orderId);
    if (order === undefined) return;
    const { status } = await this.#fleet.api.order(orderId);
    if (isTerminal(order.status) && status !== order.status) order.changed = true;
    order.status = status;
    if (isTerminal(status)) this.#open.delete(orderId);
  }
}
