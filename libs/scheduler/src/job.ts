import type { Schedule } from './schedule.ts';

export interface Job {
  /** Kebab-case. */
  name: string;
  schedule: Schedule;
  /** Each moment is put off by a random part of this, milliseconds, so that a fleet does not act in step. */
  jitterMs: number;
  /** What becomes of moments that went by while the device was off or asleep: one run for all of them, or none. */
  missed: 'run' | 'skip';
  /** Ends early with the signal's reason when the app stops or the job is removed. One run at a time. */
  run(signal: AbortSignal): Promise<void>;
}
