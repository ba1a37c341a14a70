export type { Job } from './job.ts';
export { type RunRecord } from './run-records.ts';
export { checkSchedule, inWords, nextMoment, type Schedule } from './schedule.ts';
export { Scheduler, type JobView, type SchedulerOptions } from './scheduler.ts';
