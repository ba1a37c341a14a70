export type { Peer } from './app-socket.ts';
export { connectHub, type HubClient, type HubClientOptions } from './client.ts';
export type { IpcCounters } from './counters.ts';
export type { NewMessage } from './enqueuer.ts';
export { openHub, type Hub, type HubOptions } from './hub.ts';
export { socketPath } from './hub-folder.ts';
export { DEFAULT_LIMITS, type IpcLimits } from './limits.ts';
export {
  configAnswers,
  writtenOverride,
  serveConfig,
  type ConfigAnswers,
  type ServedConfig,
} from './serve-config.ts';
export { serveJobs, type Jobs } from './serve-jobs.ts';
export { serveNotes } from './serve-notes.ts';
export { reportOrder } from './report-order.ts';
export { mayRestart, updateBusy } from './may-restart.ts';
