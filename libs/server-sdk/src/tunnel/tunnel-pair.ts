import type { TunnelEnd } from '@bowline/tunnel';
import { CLOSE } from '../link/close-codes.ts';

export interface PairedBytes {
  up: number;
  down: number;
}

/**
 * Passes bytes both ways, unseen. Back-pressure is the sockets': while one side has not taken what it was given, the other
 * is not read.
 *
 * @param maxWaitingBytes of each direction; one frame more may be on its way.
 * @param onEnd once, with what went through.
 */
export function pairEnds(
  device: TunnelEnd,
  operator: TunnelEnd,
  maxWaitingBytes: number,
  onEnd: (bytes: PairedBytes) => void,
): { bytes: PairedBytes; close(code: number): void } {
  const bytes = { up: 0, down: 0 };
  let open = true;
  const close = (code: number) => {
    if (!open) return;
    open = false;
    device.close(code);
    operator.close(code);
    onEnd(bytes);
  };
  const pass = (from: TunnelEnd, to: TunnelEnd, direction: keyof PairedBytes) => {
    from.onBinary(
      (data) => {
        if (!open || !to.isOpen) return;
        bytes[direction] += data.length;
        to.send(data, () => {
          if (open && to.waitingBytes * 2 <= maxWaitingBytes) from.resume();
        });
        if (to.waitingBytes > maxWaitingBytes) from.pause();
      },
      () => close(CLOSE.textFrame),
    );
    // What was given before the end is still delivered: a close frame goes behind it.
    from.onClose((code) => close(code === CLOSE.sessionOver ? code : CLOSE.normal));
  };
  pass(device, operator, 'up');
  pass(operator, device, 'down');
  return { bytes, close };
}
