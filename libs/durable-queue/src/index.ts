export { openQueue } from './open-queue.ts';
export { DEFAULT_LANE_LIMITS } from './limits.ts';
export type * from './queue.ts';
export { SCHEMA_VERSION } from './migrations.ts';
