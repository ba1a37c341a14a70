import { arch, freemem, loadavg, platform, release, totalmem, uptime } from 'node:os';
import { bootId, type Clock, type ServerClock } from '@bowline/runtime';
import type { DeviceFacts } from '../core/command.ts';
import { readStat } from './programs/read-processes.ts';

/** The machine and the process that this runs on. */
export const deviceFacts = (
  version: string,
  clock: Clock,
  serverClock: Pick<ServerClock, 'nowMs'>,
): DeviceFacts => ({
  processId: () => `${process.pid}:${readStat(process.pid)?.startTicks}`,
  now: () => ({ wallMs: clock.wallMs(), serverMs: serverClock.nowMs() }),
  uptimeSeconds: () => uptime(),
  processUptimeSeconds: () => process.uptime(),
  bootId,
  versions: () => ({
    app: version,
    node: process.version,
    kernel: release(),
    platform: platform(),
    arch: arch(),
  }),
  memory: () => {
    const { rss, heapUsed } = process.memoryUsage();
    return {
      totalBytes: totalmem(),
      freeBytes: freemem(),
      processRssBytes: rss,
      processHeapUsedBytes: heapUsed,
    };
  },
  loadAverage: () => loadavg(),
});
