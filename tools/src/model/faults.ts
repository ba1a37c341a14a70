import { Device, emptyDisk } from './device.ts';
import type { FaultName } from './scenarios.ts';
import { isThere, moveOf, type Context } from './step.ts';
import { withoutGateway, waitingOrders } from './desk-moves.ts';
import { nextReport, report } from './work-moves.ts';
import type { DeviceDisk, Link, Move, World } from './world.ts';

/** What may go wrong next, as far as the scenario has it; a copy for a later restore is no fault and free. */
export function faultsOf(world: World, context: Context): Move[] {
  const { faults, backup } = context.scenario;
  if (world.faultsLeft === 0) return [];
  // What is on its way is on no disk: a copy made then is one that could be made at rest.
  const isQuiet = world.links.every(({ up, down }) => up.length + down.length === 0);
  const isIdle = !isBusy(world) && Object.values(world.device.lanes).every(({ held }) => held.length === 0);
  const mayCopy = isQuiet && (backup === 'any' || (backup === 'idle' && isIdle));
  const copies = mayCopy ? backups(world, faults) : [];
  const spent = { ...world, faultsLeft: world.faultsLeft - 1 };
  return [...copies, ...faults.flatMap((fault) => FAULTS[fault](spent, context))];
}

type Fault = (world: World, context: Context) => Move[];

const FAULTS: Record<FaultName, Fault> = {
  cut: (world) => (isOpen(world) ? [{ label: 'the link breaks', world: withoutDevice(world) }] : []),

  'server-crash': (world) =>
    world.links.some(({ server }) => server !== undefined)
      ? [{ label: 'the server is killed and started again', world: withoutServer(world) }]
      : [],

  'executor-crash': (world) =>
    isBusy(world)
      ? [{ label: 'the executor is killed and started again', world: { ...world, work: {} } }]
      : [],

  'gateway-crash': (world) =>
    isOpen(world)
      ? [{ label: 'the gateway is killed and started again', world: withoutGateway(withoutDevice(world)) }]
      : [],

  'power-cut': (world) =>
    isBusy(world) || isOpen(world)
      ? [
          {
            label: 'the power of the device goes and comes',
            world: { ...withoutGateway(withoutDevice(world)), work: {} },
          },
        ]
      : [],

  'answer-lost': (world, context) =>
    waitingOrders(world).flatMap((entry) => {
      const work = world.work[entry.orderId];
      if (work === undefined) return [];
      const told = nextReport(work) ?? { status: 'started', attempt: work.attempt + 1 };
      if (work.at === 'may-run' && work.stop !== true) return [];
      if (work.at === 'taken' && work.state === 'started') return [];
      const move = report(world, entry, told, work, context);
      const label = `${move.label}; the gateway is killed before it answers`;
      return [{ ...move, label, world: withoutGateway(withoutDevice(move.world)) }];
    }),

  expiry: (world, { code, without }) =>
    Object.values(world.device.journal).flatMap((entry) => {
      if (entry.status !== 'received' || entry.type !== 'command') return [];
      const device = new Device(world, code, without);
      device.write({ ...entry, status: 'expired', endedAt: 1 });
      device.pump();
      return [moveOf(`${entry.orderId} expires while it waits`, world, device)];
    }),

  'full-lane': (world, { code, without }) => {
    if (world.device.lanes.telemetry.held.length === 0) return [];
    const device = new Device(world, code, without);
    const id = device.drop('telemetry');
    device.pump();
    return [moveOf(`telemetry is full and drops ${id}`, world, device)];
  },

  'device-restored': (world) => {
    const { deviceBackup } = world;
    if (deviceBackup === undefined) return [];
    return [{ label: "the device's store is set back to the copy", world: withDisk(world, deviceBackup) }];
  },

  'device-lost': (world) => {
    const deviceEpochs = world.history.deviceEpochs + 1;
    const lost = withDisk(world, emptyDisk(`D${deviceEpochs}`));
    const history = { ...lost.history, deviceEpochs };
    return [{ label: "the device's store is lost and made anew", world: { ...lost, history } }];
  },

  'server-restored': (world, { server }) => {
    const { serverBackup, history } = world;
    if (serverBackup === undefined) return [];
    const serverEpochs = history.serverEpochs + 1;
    const disk = server.renamed(serverBackup.disk, `S${serverEpochs}`);
    const restored = { ...withoutServer(world), server: disk };
    const label = `the server is set back to the copy, under the new epoch S${serverEpochs}`;
    return [
      {
        label,
        rewinds: true,
        world: {
          ...restored,
          history: {
            ...history,
            serverEpochs,
            taken: serverBackup.taken,
            seen: serverBackup.seen,
            rewound: true,
          },
        },
      },
    ];
  },

  'server-restored-unnoticed': (world) => {
    const { serverBackup, history } = world;
    if (serverBackup === undefined) return [];
    const restored = { ...withoutServer(world), server: serverBackup.disk };
    return [
      {
        label: 'the server is set back to the copy, under the same epoch',
        rewinds: true,
        world: {
          ...restored,
          history: { ...history, taken: serverBackup.taken, seen: serverBackup.seen, rewound: true },
        },
      },
    ];
  },
};

function backups(world: World, faults: readonly FaultName[]): Move[] {
  const moves: Move[] = [];
  if (faults.includes('device-restored') && world.deviceBackup === undefined)
    moves.push({
      label: "somebody copies the device's store",
      world: { ...world, deviceBackup: world.device },
    });
  const isServerSetBack = faults.includes('server-restored') || faults.includes('server-restored-unnoticed');
  if (isServerSetBack && world.serverBackup === undefined) {
    const { taken, seen } = world.history;
    const serverBackup = { disk: world.server, taken, seen };
    moves.push({ label: "somebody copies the server's disk", world: { ...world, serverBackup } });
  }
  return moves;
}

const isOpen = ({ links }: World): boolean => links.some(({ device }) => device !== undefined);
const isBusy = ({ work }: World): boolean => Object.keys(work).length > 0;

/** The device's end is gone. What it had sent may still arrive, or not. */
export function withoutDevice(world: World): World {
  const cut = (link: Link): Link =>
    link.device === undefined ? link : { ...link, device: undefined, down: [], cut: true };
  return { ...world, links: world.links.map(cut).filter(isThere) };
}

/** The server's ends are gone. What it had sent may still arrive. */
function withoutServer(world: World): World {
  const cut = (link: Link): Link => ({ ...link, server: undefined, up: [], cut: true });
  return { ...world, links: world.links.map(cut).filter(isThere) };
}

/** Another store lies where the device's was; with it goes what only the old one held. */
function withDisk(world: World, disk: DeviceDisk): World {
  const { history } = world;
  const held = new Set(Object.values(disk.lanes).flatMap(({ held }) => held.map(({ id }) => id)));
  const lost = history.created.filter((id) => !held.has(id) && !history.ever.includes(id));
  return {
    ...withoutGateway(withoutDevice(world)),
    device: disk,
    work: {},
    history: {
      ...history,
      lost: [...new Set([...history.lost, ...lost])].toSorted(),
      deviceLife: history.deviceLife + 1,
      rewound: true,
    },
  };
}
