import { Device } from './device.ts';
import { isThere, moveOf, withLink, type Context } from './step.ts';
import { namesOf, seqsOf, whatIsDone, withTaken } from './taken.ts';
import type { DownFrame, Link, MessagesFrame, Move, ServerEnd, UpFrame, World } from './world.ts';
import { withWork } from './work-moves.ts';

/** The device reads a frame. */
export async function onDeviceFrame(world: World, link: Link, context: Context): Promise<Move> {
  const { code, without, scenario } = context;
  const [frame, ...down] = link.down;
  if (frame === undefined) throw new RangeError('nothing to read');
  const device = new Device(world, code, without);
  device.link = { ...link, down };
  const label = readByDevice(device, frame, scenario.toldFirst === true);
  device.pump();
  const { unwritten } = device;
  if (unwritten === undefined) return moveOf(label, world, device, link);
  const late = withWork(world, unwritten, { at: 'unwritten', state: '', attempt: 0, entry: unwritten });
  return moveOf(label, late, device, link);
}

function readByDevice(device: Device, frame: DownFrame, tellsFirst: boolean): string {
  switch (frame.kind) {
    case 'welcome': {
      const before = device.disk;
      const outcome = device.welcome(frame);
      const told = `the device reads the welcome (${textOfReceived(frame.received)}, epoch ${frame.serverEpoch})`;
      if (outcome === 'restored') return `${told}: it was restored, and takes epoch ${device.disk.epoch}`;
      return before.lanes === device.disk.lanes ? told : `${told} and deletes up to there`;
    }
    case 'receipt':
      device.receipt(frame.lanes);
      return `the device reads the receipt (${textOfReceived(frame.lanes)})`;
    case 'reject':
      device.reject(frame.id);
      return `the device reads the reject of ${frame.id} and keeps it as a dead letter`;
    case 'order': {
      const verdict = device.order(frame, tellsFirst);
      return `the device reads order ${frame.orderId}, seq ${frame.seq}: ${verdict}`;
    }
  }
}

const textOfReceived = (lanes: Partial<Record<string, number>>): string =>
  Object.entries(lanes)
    .filter(([, seq]) => seq !== 0)
    .map(([lane, seq]) => `${lane} ${seq}`)
    .join(', ') || 'nothing received';

/** What may come next at the server's end of a link. */
export async function atServer(world: World, link: Link, context: Context): Promise<Move[]> {
  const { server: end, up } = link;
  if (end === undefined) return [];
  const [unwritten] = end.unwritten;
  if (unwritten !== undefined) return [await onMessage(world, link, link, unwritten, context)];
  const [frame, ...rest] = up;
  if (frame === undefined) return [];
  const read = await onServerFrame(world, link, { ...link, up: rest }, frame, context);
  if (!link.cut) return [read];
  // What was on its way when the link broke may be lost.
  return [
    read,
    {
      label: 'what was still on its way is lost',
      world: { ...world, links: withLink(world.links, link, undefined) },
    },
  ];
}

async function onServerFrame(
  world: World,
  link: Link,
  read: Link,
  frame: UpFrame,
  context: Context,
): Promise<Move> {
  if (frame.kind === 'hello') return onHello(world, link, read, frame, context);
  if (frame.kind === 'receipt') {
    const { orders } = frame;
    const known = orders <= (link.server?.ordersSentUpTo ?? 0);
    const server = known ? context.server.receipted(world.server, orders) : world.server;
    const label = `the server reads the receipt for orders up to ${orders}`;
    return { label, world: { ...world, server, links: withLink(world.links, link, read) } };
  }
  if (context.without === 'durable-before-receipt') return receiptFirst(world, link, read, frame);
  return onMessage(world, link, read, frame, context);
}

async function onHello(
  world: World,
  link: Link,
  read: Link,
  hello: UpFrame & { kind: 'hello' },
  context: Context,
): Promise<Move> {
  const { server, without } = context;
  const opened = await server.open(world.server, hello, world.history.serverEpochs);
  const replaced = replacedBy(link, world, context);
  const others = world.links.map((other) => (replaced.has(other) ? closed(other, without) : other));
  const end: ServerEnd = {
    uplink: opened.uplink,
    generation: opened.generation,
    ordersSentUpTo: opened.downlinkReceived,
    closed: false,
    unwritten: [],
  };
  const answered = answer({ ...read, server: end }, opened.welcome);
  const links = others.map((other) => (other === link ? answered : other)).filter(isThere);
  const neighbours = world.neighbours
    .map((other) => (replaced.has(other) ? closed(other, without) : other))
    .filter(isThere);
  const history = {
    ...world.history,
    serverEpochs: opened.serverEpochs,
    alarms: withAlarms(world.history.alarms, opened.alarms),
  };
  const after = { ...world, server: opened.server, links, neighbours, history };
  const move = {
    label: `the server reads the hello of epoch ${hello.epoch} and welcomes`,
    world: sendOrders(after, context),
  };
  return judgedAlarms(move, opened.alarms);
}

/** Which links the server's registry ends when this one says hello. They are in the order in which they were made. */
function replacedBy(link: Link, { links, neighbours }: World, { code, server, without }: Context): Set<Link> {
  const ended = new Set<Link>();
  if (without === 'one-link-a-device') return ended;
  const registry = new code.LinkRegistry();
  const isMixed = without === 'later-hello-of-the-same-device';
  const others = isMixed ? server.deviceId : `not ${server.deviceId}`;
  const sessionsOf = (all: readonly Link[], deviceId: string) =>
    all
      .filter((one) => one.server !== undefined)
      .map((one) => ({ one, deviceId, supersede: () => void ended.add(one) }));
  const sessions = [...sessionsOf(neighbours, others), ...sessionsOf(links, server.deviceId)];
  for (const session of sessions) registry.enter(session);
  for (const session of sessions) if (session.one.server?.uplink !== undefined) registry.claim(session);
  for (const session of sessions) if (session.one === link) registry.claim(session);
  return ended;
}

/** Nothing that it still delivers is stored. */
const closed = (link: Link, without: Context['without']): Link =>
  without === 'nothing-stored-after-close' && link.server?.uplink !== undefined
    ? { ...link, server: { ...link.server, closed: true } }
    : { ...link, server: undefined, up: [] };

async function onMessage(
  world: World,
  link: Link,
  read: Link,
  frame: MessagesFrame,
  { server, without }: Context,
): Promise<Move> {
  const end = link.server;
  if (end?.uplink === undefined) throw new RangeError('no session');
  const { lane } = frame;
  const [first, ...later] = frame.messages;
  const isTorn = without === 'whole-batch-before-receipt' && first !== undefined && later.length > 0;
  const messages = isTorn ? [first] : frame.messages;
  const taken = await server.take(world.server, end.uplink, lane, messages);
  const unwritten = isTorn ? [{ ...frame, messages: later }] : [];
  const stored = { ...read, server: { ...end, uplink: taken.uplink, unwritten } };
  const received = isTorn ? (later.at(-1)?.seq ?? 0) : taken.received;
  const receipt: DownFrame = { kind: 'receipt', lanes: { [lane]: received } };
  const rejects = taken.rejects.map(({ id }): DownFrame => ({ kind: 'reject', id }));
  const answers = without === 'reject-before-receipt' ? [receipt, ...rejects] : [...rejects, receipt];
  const isTold = end.closed || end.unwritten.length > 0;
  const after = isTold ? stored : answers.reduce(answer, stored);
  const { history, violation } = withTaken(world.history, { lane, messages, of: end.generation ?? 0 }, taken);
  const move: Move = {
    label: `the server ${whatIsDone(messages, taken)} (${lane} ${seqsOf(messages)}) and receipts ${received}`,
    world: {
      ...world,
      server: taken.server,
      links: withLink(world.links, link, after),
      history: { ...history, alarms: withAlarms(history.alarms, taken.alarms) },
    },
    ...(violation === undefined ? {} : { violation }),
  };
  return judgedAlarms(move, taken.alarms);
}

/** Only where a rule is left out: the receipt goes before the write. */
function receiptFirst(world: World, link: Link, read: Link, frame: MessagesFrame): Move {
  const { lane, messages } = frame;
  const receipt: DownFrame = { kind: 'receipt', lanes: { [lane]: messages.at(-1)?.seq ?? 0 } };
  const end = { ...(link.server as ServerEnd), unwritten: [frame] };
  return {
    label: `the server receipts ${namesOf(messages)} (${lane} ${seqsOf(messages)}), not yet on disk`,
    world: { ...world, links: withLink(world.links, link, answer({ ...read, server: end }, receipt)) },
  };
}

/** Orders that wait go out on every open link of the device, and are marked as sent. */
export function sendOrders(world: World, { server }: Context): World {
  let disk = world.server;
  const links = world.links.map((link) => {
    const end = link.server;
    if (end?.uplink === undefined || end.closed) return link;
    const sent = server.send(disk, end.ordersSentUpTo);
    disk = sent.server;
    const after = { ...link, server: { ...end, ordersSentUpTo: sent.sentUpTo } };
    return sent.frames.reduce(answer, after);
  });
  return { ...world, server: disk, links };
}

/** Puts a frame on its way to the device; of receipts that wait one says it all. */
function answer(link: Link, frame: DownFrame): Link {
  if (link.device === undefined) return link;
  const last = link.down.at(-1);
  if (frame.kind === 'receipt' && last?.kind === 'receipt') {
    const lanes = { ...last.lanes, ...frame.lanes };
    return { ...link, down: [...link.down.slice(0, -1), { kind: 'receipt', lanes: inOrder(lanes) }] };
  }
  return { ...link, down: [...link.down, frame] };
}

const inOrder = <T extends object>(lanes: T): T =>
  Object.fromEntries(Object.entries(lanes).toSorted(([a], [b]) => (a < b ? -1 : 1))) as T;

const withAlarms = (alarms: readonly string[], added: readonly string[]): string[] =>
  [...new Set([...alarms, ...added])].toSorted();

function judgedAlarms(move: Move, alarms: readonly string[]): Move {
  const { rewound, dropped, created } = move.world.history;
  const isTrue = rewound || (dropped.length > 0 && !created.some((id) => id.startsWith('gap')));
  if (!alarms.includes('unexplained-hole') || isTrue) return move;
  const detail = 'the server calls a hole unexplained, and everything is accounted for';
  return { ...move, violation: { property: 'no-false-alarm', detail } };
}
