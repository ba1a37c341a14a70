/** Largest bodies, bytes. */
export const MAX_ENROLMENT_BYTES = 16 * 1024;
/** A device takes frames of 256 KiB at most (protocol, section 1), envelope included. */
export const MAX_ORDER_BYTES = 255 * 1024;
