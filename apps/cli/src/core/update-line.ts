import { duration, size } from './format.ts';
import { progressBar } from './progress-bar.ts';

/** What the updater writes for people (apps/ota-updater, status-file.ts); only what is shown. */
export interface UpdateStatus {
  at: number;
  updates: Update[];
  installed: Record<string, { version: string; digest: string; kind: string; at: number }>;
  denied: Record<string, { name: string; version: string; code: string; message: string; at: number }>;
  progress: Record<string, Figures>;
}

export interface Update {
  orderId: string;
  phase: string;
  at: number;
  why?: string;
  plan?: { name: string; version: string; fetchBytes: number; reusedBytes: number };
  failure?: { code: string; message: string };
  preview?: Record<string, unknown>;
  order: { name?: string; version?: string };
}

export interface Figures {
  percent: number;
  bytes?: number;
  totalBytes?: number;
  bytesPerSecond?: number;
  remainingSeconds?: number;
  note?: string;
}

const ENDED = ['committed', 'rolled-back', 'failed', 'cancelled', 'previewed'];

export const isOver = ({ phase }: Update): boolean => ENDED.includes(phase);

/** Where an update is, in a line; a second one says why it does not go on. */
export function updateLine(update: Update, now: Figures | undefined): string {
  const { phase, why, plan, failure } = update;
  if (isOver(update)) return failure === undefined ? phase : `${phase}  ${failure.message} (${failure.code})`;
  const { percent = 0, bytes, totalBytes, bytesPerSecond, remainingSeconds } = now ?? {};
  const parts = [`${progressBar(percent)}  ${phase}`];
  if (bytes !== undefined && totalBytes !== undefined) parts.push(`${size(bytes)} of ${size(totalBytes)}`);
  if (bytesPerSecond !== undefined)
    parts.push(
      `${size(bytesPerSecond)}/s${remainingSeconds === undefined ? '' : `, ${duration(remainingSeconds * 1000)} left`}`,
    );
  if (plan !== undefined)
    parts.push(`${size(plan.fetchBytes)} to fetch, ${size(plan.reusedBytes)} here already`);
  const note = why ?? now?.note;
  return `${parts.join('  ')}${note === undefined ? '' : `\n    ${note}`}`;
}
