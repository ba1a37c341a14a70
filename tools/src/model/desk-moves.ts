import { isTerminal } from '@bowline/messages';
import { Device, sorted } from './device.ts';
import type { Entry, RealCode } from './real-code.ts';
import { moveOf, type Context } from './step.ts';
import type { Move, Work, World } from './world.ts';

/** Orders that an app is to carry out or was told of: in the journal, or not yet. */
export function waitingOrders({ device, desk }: World): Entry[] {
  const { held } = desk;
  const entries = Object.values(device.journal).filter(({ type }) => type === 'command');
  return held === undefined ? entries : [...entries, held.entry];
}

/** The gateway's process is gone, and what it held in memory only. */
export const withoutGateway = (world: World): World => ({ ...world, desk: { stopping: {} } });

/** What its app was told of before it was stored is forgotten with its link: the server sends it again. */
export function forgetHeld(world: World): World {
  const { held, ...desk } = world.desk;
  const isOpen = world.links.some(({ device }) => device !== undefined);
  return held === undefined || isOpen ? world : { ...world, desk };
}

/** What the gateway's order desk does by itself. */
export function deskMoves(world: World, context: Context): Move[] {
  const cancels = Object.values(world.device.journal).filter(
    ({ type, status }) => type === 'cancel' && !isTerminal(status),
  );
  return [...storeHeld(world, context), ...cancels.flatMap((cancel) => act(world, cancel, context))];
}

/** Its app took too long, or was told of it in vain: the order is stored as it came. */
function storeHeld(world: World, { code, without }: Context): Move[] {
  const { held } = world.desk;
  if (held === undefined) return [];
  const device = new Device(world, code, without);
  device.storeHeld();
  device.pump();
  const what = held.started === undefined ? 'received: durable' : 'received and started: durable at last';
  return [moveOf(`${held.entry.orderId} is ${what}`, world, device)];
}

/** A cancel acts on its order as it stands now. A crash amid that leaves the cancel open, and it acts once more. */
function act(world: World, cancel: Entry, context: Context): Move[] {
  const { stopping, fresh } = world.desk;
  const orderId = cancel.payloadJson;
  const target = world.device.journal[orderId];
  if (stopping[orderId] === cancel.orderId) return [];
  if (context.without === 'open-cancels-go-on' && fresh?.includes(cancel.orderId) !== true) return [];
  if (target === undefined || isTerminal(target.status))
    return [endCancel(world, cancel, target?.status === 'cancelled', context)];
  if (context.without === 'cancelled-only-when-stopped') return [writeCancelled(world, target, context)];
  const work = world.work[orderId];
  return phasesOf(work).map((phase) => {
    const outcome = context.code.cancelOutcome(phase);
    if (outcome === 'stopping' && work !== undefined) return stop(world, target, cancel, work);
    if (target.status !== 'received' || outcome === 'too-late')
      return endCancel(world, cancel, false, context);
    const { [orderId]: _, ...others } = world.work;
    return writeCancelled({ ...world, work: others }, target, context);
  });
}

type Phase = Parameters<RealCode['cancelOutcome']>[0];

/** Where the executor may be with an order: what it has just sent to the gateway lies in front of it. */
function phasesOf(work: Work | undefined): Phase[] {
  if (work === undefined) return [undefined];
  if (work.at === 'taken' && work.stop === undefined) return [{ kind: 'waiting' }, { kind: 'running' }];
  const mayBeEnding = work.at === 'ran' || (work.at === 'may-run' && work.stop === true);
  return mayBeEnding ? [{ kind: 'running' }, { kind: 'ending' }] : [{ kind: 'running' }];
}

function stop(world: World, { orderId }: Entry, cancel: Entry, work: Work): Move {
  const stopping = sorted({ ...world.desk.stopping, [orderId]: cancel.orderId });
  return {
    label: `the executor is told to stop ${orderId}`,
    world: {
      ...world,
      desk: { ...world.desk, stopping },
      work: sorted({ ...world.work, [orderId]: { ...work, stop: true } }),
    },
  };
}

function writeCancelled(world: World, target: Entry, { code, without }: Context): Move {
  const device = new Device(world, code, without);
  device.write({ ...target, status: 'cancelled', endedAt: 1 });
  device.pump();
  return moveOf(`${target.orderId} is cancelled: durable, with its ack`, world, device);
}

/** Start and end of the cancel itself, in one commit. */
function endCancel(world: World, cancel: Entry, isCancelled: boolean, { code, without }: Context): Move {
  const device = new Device(world, code, without);
  const started: Entry = { ...cancel, status: 'started', attempt: 1 };
  const status = isCancelled ? 'succeeded' : 'failed';
  device.write(started);
  device.write({ ...started, status, endedAt: 1 });
  device.pump();
  return moveOf(`cancel ${cancel.orderId} ends: ${status}`, world, device);
}
