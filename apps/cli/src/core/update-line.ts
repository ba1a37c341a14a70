import type { UpdateFigures, UpdateOfStatus } from '@bowline/messages/update-status';
import { duration, size } from './format.ts';
import { progressBar } from './progress-bar.ts';

const ENDED = ['committed', 'rolled-back', 'failed', 'cancelled', 'previewed'];

export const isOver = ({ phase }: UpdateOfStatus): boolean => ENDED.includes(phase);

/** Where an update is, in a line; a second one says why it does not go on. */
export function updateLine(update: UpdateOfStatus, now: UpdateFigures | undefined): string {
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
