import { isTerminal } from '@bowline/messages';
import type { Server } from './server.ts';
import { LANES, type World } from './world.ts';

/** What must hold. All but the last are judged in every state and at every step, the last over all runs. */
export const PROPERTIES = {
  'nothing-lost':
    'No message leaves the device before the server has it on its disk, unless a full lane dropped it and a gap says so.',
  'no-seq-reused': 'No epoch, lane and seq ever names two messages.',
  'taken-once': 'The server takes no event and no ack twice.',
  'no-second-run':
    'No order that is not declared idempotent runs twice: not within the life of a device’s store, nor because the server sent it again after it was told of its start.',
  'terminal-stays':
    'An order that has ended stays as it is, on the device, and on the server as the device told it.',
  'cancelled-stays-off':
    'An order that is cancelled on the device does not run any more, and a cancel succeeds only if its order is cancelled.',
  'refused-is-kept':
    'What the server refuses for good is a dead letter of its own before it says so, and of the device before a receipt deletes it there.',
  'window-kept':
    'No more messages are in flight than the window holds, and samples leave a quarter of it to results and events; but one may always go.',
  'devices-apart':
    'What one device sends changes nothing that the server holds of another, and ends no link of it.',
  'no-false-alarm': 'No hole is called unexplained while nothing was restored or lost.',
  'nothing-stands-still':
    'From every state, once faults stop, every run comes to rest, and then each lane is empty, each message delivered and each order ended.',
} as const satisfies Record<string, string>;

export type PropertyName = keyof typeof PROPERTIES;

export interface Violation {
  property: PropertyName;
  detail: string;
}

/** What is wrong with a world in which nothing happens any more without a new fault; undefined if it is as it should be. */
export function wrongAtRest(world: World, server: Server): Violation | undefined {
  const still = (detail: string): Violation => ({ property: 'nothing-stands-still', detail });
  const { device, history } = world;
  for (const lane of LANES) {
    const [first] = device.lanes[lane].held;
    if (first !== undefined) return still(`${first.id} waits in lane ${lane} for ever`);
  }
  const { orders } = server.view(world.server);
  for (const { orderId, status, target } of orders) {
    if (!isTerminal(status)) return still(`the server never learns how ${orderId} ended: it shows ${status}`);
    const called = orders.find((order) => order.orderId === target)?.status;
    if (called === undefined || called === 'cancelled' || status !== 'succeeded') continue;
    const detail = `${orderId} says that it cancelled ${target}, which is ${called}`;
    return { property: 'cancelled-stays-off', detail };
  }
  for (const { orderId, status } of Object.values(device.journal)) {
    if (!isTerminal(status)) return still(`${orderId} stays ${status} on the device`);
  }
  const { deadLetters } = server.view(world.server);
  const unkept = history.refused.find((id) => !deadLetters.includes(id));
  if (unkept !== undefined)
    return { property: 'refused-is-kept', detail: `the server refused ${unkept} and holds no dead letter` };
  const accounted = new Set([...history.ever, ...history.lost, ...history.refused]);
  const gap = history.ever.some((id) => id.startsWith('gap'));
  for (const id of history.created) {
    if (accounted.has(id) || (history.dropped.includes(id) && gap)) continue;
    return { property: 'nothing-lost', detail: `${id} never arrived, and no gap says so` };
  }
  return undefined;
}
