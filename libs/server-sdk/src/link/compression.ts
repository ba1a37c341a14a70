import type { PerMessageDeflateOptions } from 'ws';

/**
 * permessage-deflate (RFC 7692) as the server agrees to it, where a device offers it (ADR 0022). Each message is packed by itself: a
 * link that is at rest holds no compressor, so what many devices cost is what is being unpacked at the moment. ws counts what comes
 * out against `maxPayload` while it unpacks, and closes 1009.
 */
export const COMPRESSION: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  /** Receipts and most orders are shorter: not worth it. */
  threshold: 1024,
  zlibDeflateOptions: { level: 6, memLevel: 7 },
};
