import { RejectedError, TransientError } from '@bowline/runtime/errors';
import { lt } from 'semver';
import type { ReleaseManifest } from '../manifest-schema.ts';
import type { InstalledRelease, UpdateOrder } from './release-source.ts';

export interface NamedOrder extends UpdateOrder {
  name: string;
  version: string;
}

/** @throws RejectedError `order-names-nothing` */
export function namedBy(order: UpdateOrder): NamedOrder {
  const { name, version } = order;
  if (name !== undefined && version !== undefined) return { ...order, name, version };
  throw new RejectedError('order-names-nothing', 'the order must name a release and its version');
}

/**
 * Order and metadata must say the same; and what is here must allow it.
 *
 * @param installed under the order's name; undefined if nothing is.
 * @throws RejectedError `release-differs`, `downgrade-refused`, `version-insecure`
 */
export function judgeRelease(
  order: NamedOrder,
  { digest, manifest }: { digest: string; manifest: ReleaseManifest },
  installed: InstalledRelease | undefined,
): void {
  const { name, version, channel } = manifest;
  const release = `${name} ${version}`;
  if (order.digest !== undefined && order.digest !== digest)
    throw new RejectedError(
      'release-differs',
      `the order is for another content of ${release} than the one published`,
    );
  if (name !== order.name || version !== order.version)
    throw new RejectedError(
      'release-differs',
      `what is published as ${order.name} ${order.version} is ${release}`,
    );
  if (channel !== order.channel)
    throw new RejectedError(
      'release-differs',
      `the order is for channel ${order.channel}, ${release} is of ${channel}`,
    );
  if (installed === undefined) return;
  const { minSecureVersion } = installed;
  if (minSecureVersion !== undefined && lt(version, minSecureVersion))
    throw new RejectedError(
      'version-insecure',
      `${release} is older than ${minSecureVersion}, the least that is secure`,
    );
  if (!lt(version, installed.version)) return;
  const missing = [
    order.allowDowngrade !== true && 'the order',
    manifest.allowDowngrade !== true && 'the release',
  ];
  const against = missing.filter((each) => each !== false).join(' and ');
  if (against !== '')
    throw new RejectedError(
      'downgrade-refused',
      `${release} is older than ${installed.version}, and ${against} do not allow a downgrade`,
    );
}

export interface TimeSources {
  /** From the server over the link, if it was heard. */
  serverMs: number | undefined;
  /** The device's own clock. */
  wallMs: number;
  /** When this program was made, and the latest time at which metadata was good: it is not earlier than that. */
  notBeforeMs: number;
}

/**
 * The time by which metadata is judged, epoch milliseconds: the server's; without a link, e.g. with a bundle, the device's own,
 * if it can be right.
 *
 * @throws TransientError `no-trusted-time`
 */
export function trustedTime({ serverMs, wallMs, notBeforeMs }: TimeSources): number {
  const nowMs = serverMs ?? wallMs;
  if (nowMs >= notBeforeMs) return nowMs;
  throw new TransientError(
    'no-trusted-time',
    `the time is not known: ${new Date(nowMs).toISOString()} is before ${new Date(notBeforeMs).toISOString()}, which has passed`,
  );
}
