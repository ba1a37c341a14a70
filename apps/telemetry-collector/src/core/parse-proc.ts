/** What the kernel tells in /proc, parsed; formats: proc(5). Absent or strange lines are left out, never taken for 0. */

/** Jiffies since boot, over all CPUs. */
export interface CpuTimes {
  busy: number;
  total: number;
}

/** First line of /proc/stat. `guest` is contained in `user` already; waiting for I/O is idling. */
export function parseCpuTimes(stat: string): CpuTimes | undefined {
  const [line = ''] = stat.split('\n', 1);
  const [label, ...fields] = line.split(/\s+/);
  const times = fields.slice(0, 8).map(Number);
  if (label !== 'cpu' || times.length < 4 || !times.every(Number.isFinite)) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = times;
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}

/** Bytes. */
export interface Memory {
  total: number;
  available: number;
}

/** Bytes; a machine without swap has a total of 0. */
export interface Swap {
  total: number;
  free: number;
}

/** /proc/meminfo */
export function parseMemory(meminfo: string): Memory | undefined {
  const total = bytesIn(meminfo, 'MemTotal');
  const available = bytesIn(meminfo, 'MemAvailable');
  return total > 0 && available >= 0 ? { total, available } : undefined;
}

/** /proc/meminfo */
export function parseSwap(meminfo: string): Swap | undefined {
  const total = bytesIn(meminfo, 'SwapTotal');
  const free = bytesIn(meminfo, 'SwapFree');
  return total > 0 && free >= 0 ? { total, free } : undefined;
}

const bytesIn = (meminfo: string, key: string): number =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN) * 1024;

/** Pages since boot. */
export interface Paging {
  in: number;
  out: number;
}

/** /proc/vmstat: pages swapped in and out. */
export function parsePaging(vmstat: string): Paging | undefined {
  const count = (key: string) => Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(vmstat)?.[1] ?? Number.NaN);
  const paging = { in: count('pswpin'), out: count('pswpout') };
  return Number.isFinite(paging.in) && Number.isFinite(paging.out) ? paging : undefined;
}

/** Since boot. */
export interface DiskCounters {
  name: string;
  reads: number;
  readBytes: number;
  writes: number;
  writtenBytes: number;
  busySeconds: number;
}

/** The kernel counts in sectors of this size, whatever those of the disk are. */
const SECTOR_BYTES = 512;

/** /proc/diskstats (Documentation/admin-guide/iostats.rst): disks and their parts. */
export function parseDisks(diskstats: string): DiskCounters[] {
  return diskstats.split('\n').flatMap((line) => {
    const [, , name, ...fields] = line.trim().split(/\s+/);
    const [reads, , readSectors, , writes, , writtenSectors, , , busyMs] = fields.map(Number);
    const counters = {
      name: name ?? '',
      reads: reads ?? Number.NaN,
      readBytes: (readSectors ?? Number.NaN) * SECTOR_BYTES,
      writes: writes ?? Number.NaN,
      writtenBytes: (writtenSectors ?? Number.NaN) * SECTOR_BYTES,
      busySeconds: (busyMs ?? Number.NaN) / 1000,
    };
    const { name: _, ...numbers } = counters;
    return Object.values(numbers).every(Number.isFinite) ? [counters] : [];
  });
}

/** /proc/loadavg: over 1, 5 and 15 minutes. */
export function parseLoad(loadavg: string): [number, number, number] | undefined {
  const [one = Number.NaN, five = Number.NaN, fifteen = Number.NaN] = loadavg
    .trim()
    .split(' ')
    .slice(0, 3)
    .map(Number);
  return [one, five, fifteen].every(Number.isFinite) ? [one, five, fifteen] : undefined;
}

/** /proc/uptime: seconds since boot. */
export function parseUptime(uptime: string): number | undefined {
  const seconds = Number.parseFloat(uptime);
  return Number.isFinite(seconds) ? seconds : undefined;
}

/** Since boot. */
export interface InterfaceCounters {
  name: string;
  receive: DirectionCounters;
  transmit: DirectionCounters;
}

export interface DirectionCounters {
  bytes: number;
  packets: number;
  errors: number;
  dropped: number;
}

/** /proc/net/dev: for each direction bytes, packets, errors, drops and four more. */
export function parseInterfaces(netDev: string): InterfaceCounters[] {
  return netDev.split('\n').flatMap((line) => {
    const colon = line.lastIndexOf(':');
    if (colon < 0) return [];
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const direction = (from: number): DirectionCounters => {
      const [bytes = Number.NaN, packets = Number.NaN, errors = Number.NaN, dropped = Number.NaN] =
        fields.slice(from);
      return { bytes, packets, errors, dropped };
    };
    const [receive, transmit] = [direction(0), direction(8)];
    const isWhole = [...Object.values(receive), ...Object.values(transmit)].every(Number.isFinite);
    return isWhole ? [{ name: line.slice(0, colon).trim(), receive, transmit }] : [];
  });
}

export interface Mount {
  device: string;
  point: string;
  type: string;
}

/** /proc/self/mounts; blanks in a path are written as \040 there. */
export function parseMounts(mounts: string): Mount[] {
  return mounts.split('\n').flatMap((line) => {
    const [device, point, type] = line.split(' ');
    if (device === undefined || point === undefined || type === undefined) return [];
    return [{ device, point: unescape(point), type }];
  });
}

const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
