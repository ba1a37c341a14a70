import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

const DEVICE_URI = 'URI:urn:bowline:device:';

/**
 * The device that the other side's TLS certificate names, SAN URI `urn:bowline:device:ID` (protocol, section 1); undefined
 * if it showed none, if ours is not the authority that signed it, or if it names more than one device.
 */
export function certifiedDevice(socket: Duplex): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  // Node escapes a comma inside a name, so that a name cannot pose as two.
  const names = socket.getPeerCertificate().subjectaltname?.split(', ') ?? [];
  const [deviceId, ...more] = names
    .filter((name) => name.startsWith(DEVICE_URI))
    .map((name) => name.slice(DEVICE_URI.length));
  return more.length === 0 ? deviceId : undefined;
}
