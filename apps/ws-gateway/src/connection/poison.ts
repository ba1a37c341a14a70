import type { Lane, Welcome } from '@bowline/messages';
import type { LinkEnd } from './reconnect.ts';

/** One message. */
export interface Suspect {
  lane: Lane;
  seq: number;
}

/** The messages of one frame. */
export interface SuspectFrame {
  lane: Lane;
  fromSeq: number;
  toSeq: number;
}

/** Framing closes in a row, as far as one and the same message may have caused them. */
export interface PoisonWatch {
  closes: number;
  /** What may have caused the last of them; its first message is the most likely. */
  suspect?: SuspectFrame;
  /** What the last link had in flight at its framing close, in the order of sending; judged at the next welcome. */
  inFlight: readonly SuspectFrame[];
}

export const NO_POISON: PoisonWatch = { closes: 0, inFlight: [] };

const FRAMING_CODES = [1002, 1003, 1007, 1009];
const CLOSES_BEFORE_SETTING_ASIDE = 3;

/**
 * A message that the server cannot take would close every link for ever. After three closes for framing or size in a row
 * on the same message it is set aside (protocol, section 6).
 *
 * @param inFlight what the link had sent and the server had not receipted; only the message that the close's reason named,
 *   if it named one.
 */
export function afterEnd(watch: PoisonWatch, end: LinkEnd, inFlight: readonly SuspectFrame[]): PoisonWatch {
  const byServer = end.kind === 'closed' && FRAMING_CODES.includes(end.code);
  return byServer && inFlight.length > 0 ? { ...watch, inFlight } : NO_POISON;
}

/**
 * The suspect is the earliest that the server still lacks: what was sent before it was taken. When it is another message
 * than at the close before, that one got through, and the trouble was on the line: the count begins anew.
 */
export function atWelcome(watch: PoisonWatch, received: Welcome['received']): PoisonWatch {
  const suspect = watch.inFlight
    .map((frame) => ({ ...frame, fromSeq: Math.max(frame.fromSeq, (received[frame.lane] ?? 0) + 1) }))
    .find(({ fromSeq, toSeq }) => fromSeq <= toSeq);
  if (suspect === undefined) return NO_POISON;
  const again = watch.suspect !== undefined && holds(watch.suspect, suspect);
  return { closes: again ? watch.closes + 1 : 1, suspect, inFlight: [] };
}

const holds = (frame: SuspectFrame, { lane, fromSeq }: SuspectFrame): boolean =>
  frame.lane === lane && frame.fromSeq <= fromSeq && fromSeq <= frame.toSeq;

/** After the first such close messages are sent one a frame, so that the next close tells more. */
export const sendsSingly = ({ closes }: PoisonWatch): boolean => closes > 0;

/** What to set aside now. */
export function culprit({ closes, suspect }: PoisonWatch): Suspect | undefined {
  if (closes < CLOSES_BEFORE_SETTING_ASIDE || suspect === undefined) return undefined;
  return { lane: suspect.lane, seq: suspect.fromSeq };
}
