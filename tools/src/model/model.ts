import { isTerminal } from '@bowline/messages';
import { Device, emptyDisk } from './device.ts';
import { deskMoves, forgetHeld } from './desk-moves.ts';
import type { Explorable } from './explore.ts';
import { faultsOf, withoutDevice } from './faults.ts';
import { atServer, onDeviceFrame, sendOrders } from './link-moves.ts';
import { wrongAtRest, type Violation } from './properties.ts';
import type { RealCode } from './real-code.ts';
import type { RuleName } from './rules.ts';
import type { Scenario } from './scenarios.ts';
import { Server } from './server.ts';
import { moveOf, type Context } from './step.ts';
import { keyOf, forEachLane, type Link, type Move, type World } from './world.ts';
import { handOver, workMoves } from './work-moves.ts';

/** A device, a server and the links between them, with at most one rule of the protocol left out. */
export class Model implements Explorable<World> {
  readonly #context: Context;

  constructor(
    code: RealCode,
    scenario: Scenario,
    without?: RuleName,
    server = new Server(code, without, scenario.window),
  ) {
    this.#context = { code, server, without, scenario };
  }

  begin(): World {
    const { server, scenario } = this.#context;
    const { events, telemetry, orders, foreignAck, falseClaim, mostFaults } = scenario;
    return {
      device: emptyDisk('D1'),
      desk: { stopping: {} },
      work: {},
      links: [],
      neighbours: [],
      server: server.begin(),
      deviceBackup: undefined,
      serverBackup: undefined,
      todo: { events, telemetry, orders, foreignAck, falseClaim },
      faultsLeft: mostFaults,
      history: {
        created: [],
        ever: [],
        taken: [],
        lost: [],
        refused: [],
        dropped: [],
        seen: {},
        runs: {},
        deviceLife: 1,
        deviceEpochs: 1,
        serverEpochs: 1,
        rewound: false,
        alarms: [],
      },
    };
  }

  /** What may happen next by itself: the programs, and what people ask of them. */
  async moves(world: World): Promise<Move[]> {
    const { code, without } = this.#context;
    const moves: Move[] = [];
    const device = () => new Device(world, code, without);
    for (const lane of ['events', 'telemetry'] as const) {
      if (world.todo[lane] === 0) continue;
      const changed = device();
      const number = this.#context.scenario[lane] - world.todo[lane] + 1;
      const event = this.#context.scenario.refused?.includes(number) === true ? 'bad' : 'event';
      const type = lane === 'events' ? event : 'telemetry';
      const id = changed.enqueue(lane, `${lane === 'events' ? 'e' : 't'}${number}`, { type });
      changed.pump();
      const todo = { ...world.todo, [lane]: world.todo[lane] - 1 };
      moves.push(moveOf(`the device stores ${id} in ${lane}`, { ...world, todo }, changed));
    }
    if (world.todo.foreignAck === true) {
      const changed = device();
      const body = { type: 'ack', orderId: 'o1', status: 'succeeded', attempt: 1 } as const;
      const id = changed.enqueue('results', 'a false ack of o1', body);
      changed.pump();
      const todo = { ...world.todo, foreignAck: undefined };
      moves.push(moveOf(`the device stores ${id} in results`, { ...world, todo }, changed));
    }
    if (world.todo.falseClaim === true && world.device.serverEpoch !== undefined) moves.push(claim(world));
    const [order] = world.todo.orders;
    if (order !== undefined && this.#mayOrder(world)) moves.push(await this.#newOrder(world, order));
    if (!world.links.some(({ device }) => device !== undefined) && world.links.length < 2)
      moves.push(connect(world, device(), this.#context.scenario.window !== undefined));
    for (const link of world.links) {
      if (link.device !== undefined && link.down.length > 0)
        moves.push(await onDeviceFrame(world, link, this.#context));
      moves.push(...(await atServer(world, link, this.#context)));
    }
    moves.push(...deskMoves(world, this.#context), ...workMoves(world, this.#context));
    return moves.map((move) => this.#judged(world, { ...move, world: this.#settled(move.world) }));
  }

  /** What may go wrong next. */
  faults(world: World): Move[] {
    return faultsOf(world, this.#context).map((move) =>
      this.#judged(world, { ...move, world: this.#settled(move.world) }),
    );
  }

  keyOf(world: World): string {
    return keyOf(world);
  }

  atRest(world: World): Violation | undefined {
    return wrongAtRest(world, this.#context.server);
  }

  /** What follows at once: what hung on the link is forgotten, and the executor is offered what waits. */
  #settled(world: World): World {
    return handOver(forgetHeld(world), this.#context);
  }

  #mayOrder({ server, device, work }: World): boolean {
    const isIdle = Object.keys(work).length === 0 && device.lanes.results.held.length === 0;
    const allEnded = this.#context.server.view(server).orders.every(({ status }) => isTerminal(status));
    return this.#context.scenario.inTurn !== true || (isIdle && allEnded);
  }

  async #newOrder(world: World, name: string): Promise<Move> {
    const { server, scenario } = this.#context;
    const [, ...orders] = world.todo.orders;
    const orderId = `o${scenario.orders.length - orders.length}`;
    const left = { ...world, todo: { ...world.todo, orders } };
    const target = name === 'cancel' ? 'o1' : undefined;
    const known = server.view(world.server).orders.find((one) => one.orderId === target);
    if (known !== undefined && isTerminal(known.status))
      return { label: `an operator sees that ${known.orderId} has ended`, world: left };
    const isLinked = world.links.some(({ server }) => server?.uplink !== undefined && !server.closed);
    const created = await server.order(world.server, isLinked, { name, orderId, target });
    const what = target === undefined ? `orders ${orderId} (${name})` : `cancels ${target} by ${orderId}`;
    return { label: `an operator ${what}`, world: sendOrders({ ...left, server: created }, this.#context) };
  }

  /** On the server an order that the device ended stays as it is, unless the server itself is set back. */
  #judged(before: World, move: Move): Move {
    if (move.violation !== undefined || move.world.server === before.server) return move;
    if (move.rewinds === true) return move;
    const { server } = this.#context;
    const after = server.view(move.world.server).orders;
    for (const { orderId, status, endedHere } of server.view(before.server).orders) {
      const now = after.find((order) => order.orderId === orderId);
      if (!isTerminal(status) || endedHere || now === undefined || now.status === status) continue;
      const detail = `on the server ${orderId} was ${status} and is now ${now.status}`;
      return { ...move, violation: { property: 'terminal-stays', detail } };
    }
    return move;
  }
}

/** It ends its link, and will say that it holds orders which it was never sent. */
function claim(world: World): Move {
  const received = world.device.received + 9;
  const changed = { ...withoutDevice(world), device: { ...world.device, received } };
  const todo = { ...world.todo, falseClaim: undefined };
  return { label: `the device claims orders up to ${received}`, world: { ...changed, todo } };
}

function connect(world: World, device: Device, batches: boolean): Move {
  const hello = device.hello();
  const link: Link = {
    up: [hello],
    down: [],
    device: { hello, online: false, window: 0, batches, sentUpTo: forEachLane(() => 0), frames: [] },
    server: { ordersSentUpTo: 0, closed: false, unwritten: [] },
    cut: false,
  };
  const lanes = (['results', 'events', 'telemetry'] as const)
    .filter((lane) => hello.lanes[lane].next > 1)
    .map((lane) => `${lane} [${hello.lanes[lane].first}, ${hello.lanes[lane].next})`);
  const says = [`epoch ${hello.epoch}`, ...lanes, `received ${hello.received}`].join(', ');
  return {
    label: `the device connects and says hello: ${says}`,
    world: { ...world, links: [...world.links, link] },
  };
}
