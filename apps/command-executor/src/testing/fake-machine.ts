import type { DeviceFacts, Machine } from '../core/command.ts';

/** A machine on which everything works and nothing happens. */
export const fakeMachine: Machine = {
  control: () => Promise.resolve(),
  script: () => Promise.resolve({ stdout: 'done\n', stderr: '', truncated: false }),
  restartApp: (app) => Promise.resolve({ app, pid: 2, previousPid: 1, tookMs: 3 }),
  setLogLevel: () => Promise.resolve('info'),
  collect: () => Promise.resolve({ status: {}, configuration: {}, logs: {}, journal: '' }),
  upload: async (make) => ({ parts: 1, sizeBytes: (await make()).length }),
};

export const fakeDevice: DeviceFacts = {
  uptimeSeconds: () => 1,
  processUptimeSeconds: () => 1,
  bootId: () => 'boot',
  processId: () => '7:1',
  now: () => ({ wallMs: 1000, serverMs: 1000 }),
  versions: () => ({ app: '', node: '', kernel: '', platform: '', arch: '' }),
  memory: () => ({ totalBytes: 1, freeBytes: 1, processRssBytes: 1, processHeapUsedBytes: 1 }),
  loadAverage: () => [0, 0, 0],
};
