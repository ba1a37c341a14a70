import { TransientError } from '@bowline/runtime';

/** What must never fall, kept apart from the metadata: it outlives damage to it. */
export interface Floor {
  /** SHA-256 of the root that it all began with. */
  anchor: string;
  versions: Record<string, number>;
  /** Who signed timestamp and snapshot, by the root of those versions. */
  keys?: Record<OnlineRole, readonly string[]>;
  atMs: number;
}

type OnlineRole = 'timestamp' | 'snapshot';

/** Of a root, who signs what. */
export type RolesOfRoot = Record<OnlineRole, { keyids: readonly string[]; threshold: number }>;

/**
 * After damage we began with the first root again, whose timestamp and snapshot may have any version; what was known before
 * counts all the same. A version falls only as it would without the damage (specification, section 5.3.11: recovery from a
 * fast-forward): a root has taken keys of timestamp or snapshot away, so what they signed does not count any more. That
 * snapshot was what kept the versions of all targets, too.
 *
 * @throws TransientError `metadata-rollback`
 */
export function mustNotFall(now: Record<string, number>, roles: RolesOfRoot, floor: Floor): void {
  const rotated = (role: OnlineRole) => isRotated(floor.keys?.[role] ?? [], roles[role]);
  const mayFall = (role: string): boolean => {
    if (role === 'root') return false;
    if (role === 'timestamp') return rotated('timestamp');
    if (role === 'snapshot') return rotated('timestamp') || rotated('snapshot');
    return rotated('snapshot');
  };
  for (const [role, version] of Object.entries(now)) {
    const before = floor.versions[role] ?? 0;
    if (version < before && !mayFall(role))
      throw new TransientError(
        'metadata-rollback',
        `${role} ${version} is older than ${before}, which was seen before`,
      );
  }
}

/** What the keys of before have signed alone does not count any more, or one of them was taken away. */
function isRotated(before: readonly string[], { keyids, threshold }: RolesOfRoot[OnlineRole]): boolean {
  return before.some((key) => !keyids.includes(key)) || (before.length > 0 && before.length < threshold);
}
