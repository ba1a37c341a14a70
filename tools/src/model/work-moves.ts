import { isTerminal } from '@bowline/messages';
import { waitingOrders } from './desk-moves.ts';
import { Device, sorted } from './device.ts';
import type { Entry, RealCode } from './real-code.ts';
import { COMMANDS, isIdempotent } from './server.ts';
import { moveOf, type Context } from './step.ts';
import type { Move, Work, World } from './world.ts';

/** Every order that has not ended is in the hands of the executor at once: the gateway offers it as soon as both are there. */
export function handOver(world: World, { without }: Context): World {
  let { work } = world;
  for (const entry of waitingOrders(world)) {
    const { orderId, status, attempt, payloadJson: name } = entry;
    if (isTerminal(status) || work[orderId] !== undefined) continue;
    if (without === 'idempotent-runs-again' && status === 'started' && isIdempotent(name)) continue;
    work = sorted({ ...work, [orderId]: { at: 'taken', state: status, attempt } satisfies Work });
  }
  return work === world.work ? world : { ...world, work };
}

/** What the executor does: it reports the start of an order, runs it, reports its end. */
export function workMoves(world: World, context: Context): Move[] {
  return Object.entries(world.work).flatMap(([orderId, work]) => {
    const isLate = work.at === 'owes-ack' || work.at === 'unwritten';
    const known = waitingOrders(world).find((entry) => entry.orderId === orderId);
    const entry = (isLate ? undefined : known) ?? work.entry ?? world.device.journal[orderId];
    if (entry !== undefined) return workOn(world, entry, work, context);
    // It was told of the order before that was stored, and the link broke.
    const label = `the gateway knows no ${orderId}: the executor gives it up`;
    return [{ label, world: withWork(world, { orderId }, undefined) }];
  });
}

/** What the executor has to say next of an order in hand; undefined if it has an effect to begin first. */
export function nextReport({ at, stop }: Work): { status: string } | undefined {
  if (at === 'ran') return { status: stop === true ? 'cancelled' : 'succeeded' };
  return at === 'may-run' && stop === true ? { status: 'cancelled' } : undefined;
}

function workOn(world: World, entry: Entry, work: Work, context: Context): Move[] {
  const told = nextReport(work);
  if (told !== undefined) return [report(world, entry, told, undefined, context)];
  switch (work.at) {
    case 'taken':
      return [begin(world, entry, work, context)];
    case 'may-run':
    case 'ran':
      return [run(world, entry, { ...work, at: 'ran' })];
    case 'ran-early':
      return [
        report(
          world,
          entry,
          { status: 'started', attempt: work.attempt + 1 },
          { ...work, at: 'ran' },
          context,
        ),
      ];
    case 'owes-ack':
    case 'unwritten':
      return [writeLate(world, entry, work, context)];
  }
}

function writeLate(world: World, entry: Entry, { at, next }: Work, { code, without }: Context): Move {
  const { work, ...rest } = withWork(world, entry, next);
  const device = new Device({ ...rest, work }, code, without);
  if (at === 'unwritten') device.write(entry);
  else device.ack(entry);
  device.pump();
  const what =
    at === 'unwritten' ? `${entry.orderId} is in the journal` : `the ack of ${entry.orderId} is durable too`;
  return moveOf(what, { ...rest, work }, device);
}

/** The plan of the executor's own: `started` and then the effect, or how it ends without one. */
function begin(world: World, entry: Entry, work: Work, context: Context): Move {
  const step = firstStep(entry, work, context);
  if (step.kind !== 'report-started') {
    const status = step.status ?? 'indeterminate';
    return report(world, entry, { status }, undefined, context);
  }
  if (context.without === 'started-before-effect') return run(world, entry, { ...work, at: 'ran-early' });
  const attempt = step.attempt ?? 1;
  const next: Work = { ...work, at: 'may-run', attempt };
  return report(world, entry, { status: 'started', attempt }, next, context);
}

function firstStep(entry: Entry, work: Work, { code, without }: Context) {
  const plan = code.planCommand(
    {
      orderId: entry.orderId,
      payload: { name: entry.payloadJson },
      state: work.state,
      attempt: work.attempt,
    },
    {
      commands: COMMANDS.map((name) => ({
        name,
        idempotent: without === 'indeterminate-after-crash' || isIdempotent(name),
        check: () => true,
      })),
      policy: { judge: () => undefined, judgeParams: () => undefined, longestTimeoutMs: () => 1 },
      serverNowMs: 1,
      commandTimeoutMs: 1,
      maxRuns: 3,
    },
  );
  const [step] = plan.kind === 'steps' ? plan.steps : [];
  if (step === undefined) throw new RangeError('a plan has at least one step');
  return step;
}

function run(world: World, entry: Entry, work: Work): Move {
  const { orderId, payloadJson: name } = entry;
  const { history } = world;
  const before = history.runs[orderId] ?? [];
  const runs = sorted({ ...history.runs, [orderId]: [...before, history.deviceLife] });
  const move = {
    label: `${orderId} runs${before.length > 0 ? ' again' : ''}`,
    world: { ...withWork(world, entry, work), history: { ...history, runs } },
  };
  if (world.device.journal[orderId]?.status === 'cancelled') {
    const detail = `${orderId} is cancelled and runs all the same`;
    return { ...move, violation: { property: 'cancelled-stays-off', detail } };
  }
  if (isIdempotent(name) || before.length === 0) return move;
  if (before.includes(history.deviceLife)) {
    return {
      ...move,
      violation: { property: 'no-second-run', detail: `${orderId} is not idempotent and ran twice` },
    };
  }
  if (entry.afterStart !== true) return move;
  const detail = `${orderId} is not idempotent, had started, was sent again and ran twice`;
  return { ...move, violation: { property: 'no-second-run', detail } };
}

/** A report to the gateway: durable with its ack, or refused. */
export function report(
  world: World,
  entry: Entry,
  told: { status: string; attempt?: number },
  next: Work | undefined,
  { code, without }: Context,
): Move {
  const device = new Device(world, code, without);
  const { orderId } = entry;
  const { held } = world.desk;
  const after = withWork(world, entry, next);
  if (held?.entry.orderId === orderId && told.status === 'started' && held.started === undefined)
    return startHeld(after, held.entry, told, device, { code, without });
  device.storeHeld();
  let changed: Entry | undefined;
  try {
    changed = applied(entry, told, code, without === 'terminal-stays');
  } catch {
    return {
      label: `the gateway refuses that ${orderId} is ${told.status}: it is ${entry.status}`,
      world: withWork(world, entry, undefined),
    };
  }
  if (changed === undefined)
    return { label: `the executor repeats that ${orderId} is ${told.status}`, world: after };
  if (without === 'ack-with-its-state') {
    const owing: Work = {
      at: 'owes-ack',
      state: '',
      attempt: 0,
      entry: changed,
      ...(next === undefined ? {} : { next }),
    };
    device.journal(changed);
    return moveOf(
      `${orderId} is ${told.status}: durable, without its ack`,
      withWork(world, entry, owing),
      device,
    );
  }
  device.write(changed);
  if (isTerminal(changed.status)) device.stopped(orderId);
  device.pump();
  const move = moveOf(`${orderId} is ${told.status}: durable, with its ack`, after, device);
  if (!isTerminal(entry.status)) return move;
  const detail = `on the device ${orderId} was ${entry.status} and is now ${changed.status}`;
  return { ...move, violation: { property: 'terminal-stays', detail } };
}

/** `received` and `started` in one commit, and only then the executor gets its answer. */
function startHeld(
  after: World,
  entry: Entry,
  told: { status: string; attempt?: number },
  device: Device,
  { code, without }: Pick<Context, 'code' | 'without'>,
): Move {
  const started = applied(entry, told, code, false);
  if (started === undefined) throw new RangeError('a held order has not started');
  if (without !== 'shared-commit-before-effect') {
    device.storeHeld(started);
    device.pump();
    return moveOf(`${entry.orderId} is received and started: durable in one commit`, after, device);
  }
  device.desk = { ...device.desk, held: { entry, started } };
  const { [entry.orderId]: work } = after.work;
  const answered = work === undefined ? after : withWork(after, entry, { ...work, entry });
  return moveOf(`the gateway takes note that ${entry.orderId} is started, not yet on disk`, answered, device);
}

function applied(
  entry: Entry,
  told: { status: string; attempt?: number },
  code: RealCode,
  anything: boolean,
): Entry | undefined {
  const report = { at: 1, ...told };
  if (!anything) return code.applyReport(entry, report, 'boot');
  return { ...entry, status: told.status, attempt: told.attempt ?? entry.attempt };
}

export function withWork(world: World, { orderId }: Pick<Entry, 'orderId'>, work: Work | undefined): World {
  const { [orderId]: _, ...others } = world.work;
  return { ...world, work: work === undefined ? others : sorted({ ...others, [orderId]: work }) };
}
