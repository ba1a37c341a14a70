import type { AuditMark } from '@bowline/messages';

export const sameMark = (a: AuditMark, b: AuditMark): boolean => a.seq === b.seq && a.hash === b.hash;

/** Why a mark that somebody noted is not in the log, which begins after `anchor`. */
export const notFound = (noted: AuditMark, anchor: AuditMark): string =>
  noted.seq < anchor.seq
    ? `entry ${noted.seq} is forgotten by now (the log begins after ${anchor.seq}), so nothing can be said about it`
    : `entry ${noted.seq} is not the one that was noted: the log was written anew`;

/** Of a log that is whole, and what makes the next look at it see more. @param option by which that look is given the mark. */
export const wholeInWords = (anchor: AuditMark, head: AuditMark, option: string): string =>
  `Whole and unchanged: entries ${anchor.seq + 1} to ${head.seq}.\nNote this elsewhere, and give it to the next ${option}: ${head.seq}:${head.hash}`;
