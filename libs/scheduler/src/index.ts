export { type RunRecord } from './run-records.ts';
export { checkSchedule, inWords, nextMoment, type Schedule } from './schedule.ts';
export { Scheduler, type Job, type JobView, type SchedulerOptions } from './scheduler.ts';
