import type { AuditMark } from '@bowline/messages';

export const sameMark = (a: AuditMark, b: AuditMark): boolean => a.seq === b.seq && a.hash === b.hash;

/** Why a mark that somebody noted is not in the log, which begins after `anchor`. */
export const notFound = (noted: AuditMark, anchor: AuditMark): string =>
  noted.seq < anchor.seq
    ? `entry ${noted.seq} is forgotten by now (the log begins after ${anchor.seq}), so nothing can be said about it`
    : `entry ${noted.seq} is not the one that was noted: the log was written anew`;
