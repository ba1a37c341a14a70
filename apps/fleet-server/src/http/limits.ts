/** Largest bodies, bytes: of every call that does not say otherwise, … */
export const MAX_BODY_BYTES = 16 * 1024;
/** … of an enrolment (protocol, section 7), … */
export const MAX_ENROLMENT_BYTES = 16 * 1024;
/** … and of an order: a device takes frames of 256 KiB at most (protocol, section 1), envelope included. */
export const MAX_ORDER_BYTES = 255 * 1024;
