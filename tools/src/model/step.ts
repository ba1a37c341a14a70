import type { Device } from './device.ts';
import type { RealCode } from './real-code.ts';
import type { RuleName } from './rules.ts';
import type { Scenario } from './scenarios.ts';
import type { Server } from './server.ts';
import type { Link, Move, World } from './world.ts';

/** What every step needs. */
export interface Context {
  code: RealCode;
  server: Server;
  without: RuleName | undefined;
  scenario: Scenario;
}

/** The world after the device changed. @param link its link as it was, if that is not the one in the world. */
export function moveOf(label: string, world: World, device: Device, link?: Link): Move {
  const before = link ?? world.links.find((one) => one.device !== undefined);
  const links = before === undefined ? world.links : withLink(world.links, before, device.link);
  const { violation } = device;
  return {
    label,
    world: { ...world, device: device.disk, desk: device.desk, history: device.history, links },
    ...(violation === undefined ? {} : { violation }),
  };
}

/** The links with one of them changed; one that has no end left, or nothing to be read from, is gone. */
export const withLink = (links: readonly Link[], before: Link, after: Link | undefined): Link[] =>
  links.flatMap((link) => (link === before ? (after ?? []) : link)).filter(isThere);

export const isThere = ({ device, server, up, down }: Link): boolean =>
  (device !== undefined && (server !== undefined || down.length > 0)) ||
  (server !== undefined && (up.length > 0 || server.unwritten.length > 0));
