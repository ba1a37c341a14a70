import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The control group (cgroup v2) that this process is in (or another), below which it could make others: the mount of version 2 and our
 * place in it (cgroups(7)). Undefined without.
 */
export function ownCgroup(pid: number | 'self' = 'self'): string | undefined {
  const mount = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')?.[1];
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  return mount === undefined || path === undefined ? undefined : join(mount, path);
}
