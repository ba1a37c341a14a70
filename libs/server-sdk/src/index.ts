export { DeviceAccess } from './devices/device-access.ts';
export { DeviceDirectory, type DeviceRecord } from './devices/device-directory.ts';
export { DeviceStatusBook } from './devices/device-status.ts';
export { DeviceViews } from './devices/device-views.ts';
export { CLOSE } from './link/close-codes.ts';
export { DEFAULT_LINK_LIMITS, type LinkLimits } from './link/link-limits.ts';
export { LinkServer, type LinkServerOptions } from './link/link-server.ts';
export { RateLimiter, type Rate } from './link/rate-limiter.ts';
export type { LinkServices } from './link/services.ts';
export { NewsDesk, type News } from './news.ts';
export { OrderBook, ORDER_LIFE_MS, type NewOrder, type OrderLimits } from './orders/order-book.ts';
export { refusal, type Refusal } from './problem.ts';
export { ServerIdentity } from './server-identity.ts';
export { GroupCommitStore, type GroupCommitOptions, type StoreBackend } from './store/group-commit-store.ts';
export { memoryStore, MemoryBackend } from './store/memory-store.ts';
export {
  parse,
  put,
  read,
  remove,
  within,
  type Entry,
  type KeyRange,
  type ServerStore,
  type Write,
} from './store/server-store.ts';
export { DeadLetters, type DeadLetterRecord } from './uplink/dead-letters.ts';
export { UplinkLog, type LogLimits } from './uplink/uplink-log.ts';
export { Enrolment, type EnrolmentPorts } from './enrolment/enrolment.ts';
export { EnrolmentTokens, type NewEnrolmentToken } from './enrolment/enrolment-tokens.ts';
