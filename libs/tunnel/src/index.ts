export { TunnelEnd } from './tunnel-end.ts';
export { carry, type CarriedBytes } from './carry.ts';
export { tunnelClientOptions } from './client-options.ts';
export { TUNNEL_CLOSE, TUNNEL_FRAME_BYTES, TUNNEL_SUBPROTOCOL } from './names.ts';
