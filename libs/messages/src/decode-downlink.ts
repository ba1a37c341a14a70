import type { DownlinkPayload, DownlinkType } from './catalogue.ts';
import { checkPayload, decodeEnvelope, parseFrame } from './decode.ts';
import type { Message } from './envelope.ts';
import * as downlink from './generated/downlink.js';

const validators = { ...downlink };

export type DownlinkMessage = { [T in DownlinkType]: Message<T, DownlinkPayload<T>> }[DownlinkType];

/**
 * A text frame from the server → typed message. Unknown members are ignored.
 *
 * @param maxBytes the largest frame that we take, 256 KiB by default (protocol, section 1).
 * @throws ContractError `too-large`, `too-deep`, `broken-json`; FrameError `invalid`, `unsupported`.
 */
export function decodeDownlink(text: string, maxBytes = 256 * 1024): DownlinkMessage {
  const message = decodeEnvelope(parseFrame(text, maxBytes));
  checkPayload(message, validators);
  return message as DownlinkMessage;
}
