import { isDeepStrictEqual } from 'node:util';
import type { DeviceConfig, Order } from '@bowline/messages';
import type { HubRequests } from '@bowline/messages/hub';
import { hashOf } from '@bowline/runtime';

export type Sections = Record<string, Record<string, unknown>>;

/** One document that was pushed, and how it must have ended. */
export interface Expectation {
  version: number;
  end: 'applied' | 'rolledBack';
  /** What is in force then. */
  inForce: { version: number; sections: Sections };
}

/** Where a device, its disk and its server stand. */
export interface Standing {
  device: HubRequests['config']['response'];
  /** By app, what it would start with. */
  disk: Record<string, unknown>;
  server: DeviceConfig;
  order: Pick<Order, 'status'> & { error?: { code: string } };
}

/** What is not as it must be; empty: all on the same configuration, and everybody tells the truth. */
export function disagreements(
  { version, end, inForce }: Expectation,
  { device, disk, server, order }: Standing,
): string[] {
  const wrong: string[] = [];
  const must = (what: string, is: unknown, be: unknown) => {
    if (!isDeepStrictEqual(is, be)) wrong.push(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(be)}`);
  };
  must('phase', device.phase, 'settled');
  must('in force', device.version, inForce.version);
  must('outcome kept', device.documents.find((kept) => kept.version === version)?.outcome, end);
  const hashes: Record<string, string> = {};
  for (const [app, section] of Object.entries(inForce.sections)) {
    const view = device.apps[app]?.view;
    hashes[app] = view?.hash ?? 'away';
    must(`${app} on disk`, disk[app], section);
    must(`${app} problem`, view?.problem, undefined);
    const fromCloud = view?.entries.filter(({ source }) => source === 'cloud') ?? [];
    must(
      `${app} live`,
      Object.fromEntries(fromCloud.map(({ key, value }) => [key, value])),
      Object.fromEntries(leaves(section)),
    );
  }
  must('hash of all apps', device.hash, hashOf(hashes));
  must("server's version", server.version, inForce.version);
  must("server's hash", server.hash, device.hash);
  must('drift', server.drift, end === 'applied' ? undefined : 'version');
  must('report', [server.report?.version, server.report?.status], [version, end]);
  must('hash of the report', server.report?.hash, device.hash);
  must('reasons in the report', (server.report?.errors ?? []).length > 0, end === 'rolledBack');
  const code = end === 'applied' ? undefined : 'config-rolled-back';
  must('order', [order.status, order.error?.code], [end === 'applied' ? 'succeeded' : 'failed', code]);
  return wrong;
}

const leaves = (tree: unknown, path: string[] = []): [string, unknown][] =>
  typeof tree === 'object' && tree !== null
    ? Object.entries(tree).flatMap(([key, value]) => leaves(value, [...path, key]))
    : [[path.join('.'), tree]];
