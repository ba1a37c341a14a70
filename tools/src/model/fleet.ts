import type { Explorable, Step } from './explore.ts';
import { Model } from './model.ts';
import type { Violation } from './properties.ts';
import type { RealCode } from './real-code.ts';
import type { RuleName } from './rules.ts';
import type { Scenario } from './scenarios.ts';
import { DEVICE, Server } from './server.ts';
import type { Move, World } from './world.ts';

const SECOND = 'd2';

interface Member {
  id: string;
  name: string;
  model: Model;
}

/** Each device, its links and its work; the number of the server's disk is the same in both. */
interface Both {
  first: World;
  second: World;
}

/** Two devices of one server, which share its disk and its registry of links and should share nothing else. */
export class Fleet implements Explorable<Both> {
  readonly #server: Server;
  readonly #first: Member;
  readonly #second: Member;

  constructor(code: RealCode, first: Scenario, second: Scenario, without?: RuleName) {
    this.#server = new Server(code, without);
    const told = this.#server.forDevice(without === 'url-names-the-device' ? DEVICE : SECOND);
    this.#first = { id: DEVICE, name: 'first', model: new Model(code, first, without, this.#server) };
    this.#second = { id: SECOND, name: 'second', model: new Model(code, second, without, told) };
  }

  begin(): Both {
    return { first: this.#first.model.begin(), second: this.#second.model.begin() };
  }

  async moves({ first, second }: Both): Promise<Step<Both>[]> {
    const byFirst = await this.#first.model.moves(beside(first, second));
    const bySecond = await this.#second.model.moves(beside(second, first));
    return this.#steps({ first, second }, byFirst, bySecond);
  }

  faults({ first, second }: Both): Step<Both>[] {
    const ofFirst = this.#first.model.faults(beside(first, second));
    return this.#steps({ first, second }, ofFirst, this.#second.model.faults(beside(second, first)));
  }

  atRest({ first, second }: Both): Violation | undefined {
    return this.#first.model.atRest(first) ?? this.#second.model.atRest(second);
  }

  keyOf({ first, second }: Both): string {
    return `${this.#first.model.keyOf(first)} & ${this.#second.model.keyOf(second)}`;
  }

  #steps({ first, second }: Both, byFirst: readonly Move[], bySecond: readonly Move[]): Step<Both>[] {
    return [
      ...byFirst.map((move) => ({
        ...this.#judged(move, this.#first, this.#second, second),
        world: { first: alone(move.world), second: withServerOf(second, move.world) },
      })),
      ...bySecond.map((move) => ({
        ...this.#judged(move, this.#second, this.#first, first),
        world: { first: withServerOf(first, move.world), second: alone(move.world) },
      })),
    ];
  }

  /** @param world of the other device, before the move. */
  #judged({ label, world: after, violation }: Move, by: Member, other: Member, world: World) {
    const named = `${by.name} device: ${label}`;
    if (violation !== undefined) return { label: named, violation };
    const held = (server: number) => this.#server.partOf(server, other.id);
    const detail =
      held(after.server) === held(world.server)
        ? `the ${by.name} device ends a link of the ${other.name}`
        : `the ${by.name} device changes what the server holds of the ${other.name}`;
    const isApart = held(after.server) === held(world.server) && isSame(after.neighbours, world.links);
    return isApart ? { label: named } : { label: named, violation: { property: 'devices-apart', detail } };
  }
}

const beside = (world: World, { links }: World): World => ({ ...world, neighbours: links });
const alone = (world: World): World => ({ ...world, neighbours: [] });
const withServerOf = (world: World, { server, neighbours }: World): World => ({
  ...world,
  server,
  links: neighbours,
});
const isSame = (some: readonly unknown[], others: readonly unknown[]): boolean =>
  some.length === others.length && some.every((one, index) => one === others[index]);
