/** What both sides of a tunnel and its relay must agree on (protocol, section 8). */
export const TUNNEL_SUBPROTOCOL = 'bowline.tunnel.v1';
/** Largest frame. */
export const TUNNEL_FRAME_BYTES = 64 * 1024;
/** Close codes by which the relay says more than that it is over. */
export const TUNNEL_CLOSE = { restarting: 1012, replaced: 4409, sessionOver: 4410, tooMany: 4429 } as const;
