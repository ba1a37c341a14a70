import { formatDuration } from '../core/format.ts';
import { formatFull, formatMoment } from '../core/time.ts';
import { usePage } from './page-context.ts';

/** A moment as a clock shows it; everything about it in the tooltip. */
export function Moment({ at }: { at: number }) {
  const { now, zone } = usePage();
  return (
    <time dateTime={new Date(at).toISOString()} title={formatFull(at, zone)}>
      {formatMoment(at, now, zone)}
    </time>
  );
}

/** How long ago a moment was. */
export function Ago({ at }: { at: number }) {
  const { now, zone } = usePage();
  return (
    <time dateTime={new Date(at).toISOString()} title={formatFull(at, zone)}>
      {formatDuration(now - at)}
    </time>
  );
}
