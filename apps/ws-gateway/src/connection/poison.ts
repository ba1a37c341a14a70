import type { Lane, Welcome } from '@bowline/messages';
import type { LinkEnd } from './reconnect.ts';

/** A message that may be what the server keeps closing the link for. */
export interface Suspect {
  lane: Lane;
  seq: number;
}

/** Framing closes in a row, and what was suspected last. */
export interface PoisonWatch {
  closes: number;
  suspect?: Suspect;
}

export const NO_POISON: PoisonWatch = { closes: 0 };

const FRAMING_CODES = [1002, 1003, 1007, 1009];
const CLOSES_BEFORE_SETTING_ASIDE = 3;

/**
 * A message that the server cannot take would close every link for ever. After three closes for framing or size in a row
 * the one that the reason named, or the earliest that was sent and not receipted, is the culprit (protocol, section 6).
 *
 * @param named by the close's reason.
 * @param earliest in flight when the link ended.
 */
export function afterEnd(
  watch: PoisonWatch,
  end: LinkEnd,
  { named, earliest }: { named: Suspect | undefined; earliest: Suspect | undefined },
): PoisonWatch {
  const suspect = named ?? earliest;
  const byServer = end.kind === 'closed' && FRAMING_CODES.includes(end.code);
  if (!byServer || suspect === undefined) return NO_POISON;
  return { closes: watch.closes + 1, suspect };
}

/** After the first such close messages are sent one a frame, so that the next close tells more. */
export const sendsSingly = ({ closes }: PoisonWatch): boolean => closes > 0;

/** What to set aside now: the culprit, if the server still lacks it. */
export function culprit(
  { closes, suspect }: PoisonWatch,
  received: Welcome['received'],
): Suspect | undefined {
  if (closes < CLOSES_BEFORE_SETTING_ASIDE || suspect === undefined) return undefined;
  return (received[suspect.lane] ?? 0) < suspect.seq ? suspect : undefined;
}
