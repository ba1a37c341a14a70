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

/** /proc/meminfo */
export function parseMemory(meminfo: string): Memory | undefined {
  const kilobytes = (key: string) =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? Number.NaN);
  const total = kilobytes('MemTotal') * 1024;
  const available = kilobytes('MemAvailable') * 1024;
  return total > 0 && available >= 0 ? { total, available } : undefined;
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

/** Bytes since boot. */
export interface InterfaceCounters {
  name: string;
  received: number;
  transmitted: number;
}

/** /proc/net/dev */
export function parseInterfaces(netDev: string): InterfaceCounters[] {
  return netDev.split('\n').flatMap((line) => {
    const colon = line.lastIndexOf(':');
    if (colon < 0) return [];
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const [received = Number.NaN, transmitted = Number.NaN] = [fields[0], fields[8]];
    if (!Number.isFinite(received) || !Number.isFinite(transmitted)) return [];
    return [{ name: line.slice(0, colon).trim(), received, transmitted }];
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
