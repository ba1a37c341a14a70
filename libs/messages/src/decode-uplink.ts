import type { UplinkPayload, UplinkType } from './catalogue.ts';
import { describeErrors } from './check.ts';
import { checkPayload, decodeEnvelope, parseFrame, unreadable } from './decode.ts';
import type { Batch, Message } from './envelope.ts';
import * as envelopes from './generated/envelope.js';
import * as uplink from './generated/uplink.js';
import type { Lane } from './names.ts';

export type UplinkMessage = { [T in UplinkType]: Message<T, UplinkPayload<T>> }[UplinkType];

const validators = { ...uplink };

/** The envelopes in a text frame from a device: one, or those of a batch. Payloads are not checked yet. */
export interface UplinkFrame {
  messages: Message<string, Record<string, unknown>>[];
  /** Length of the frame in bytes, for the window. */
  bytes: number;
}

/**
 * A text frame from a device → its envelopes; call {@link checkUplink} on each, so that one bad message in a batch is
 * refused alone. A batch whose own form is broken is refused as a whole, under no id.
 *
 * @throws ContractError `too-large`, `too-deep`, `broken-json`; FrameError `invalid`.
 */
export function decodeUplinkFrame(text: string, maxBytes: number): UplinkFrame {
  const value = parseFrame(text, maxBytes);
  const bytes = Buffer.byteLength(text);
  if (typeof value !== 'object' || value === null || !('type' in value) || value.type !== 'batch') {
    return { messages: [decodeEnvelope(value)], bytes };
  }
  if (!envelopes.batch(value)) throw unreadable(value, describeErrors(envelopes.batch.errors, ''));
  const batch = value as Batch;
  const [first] = batch.messages;
  if (batch.messages.some(({ seq }, index) => seq !== (first?.seq ?? seq) + index))
    throw unreadable(value, 'seqs of a batch must be consecutive');
  return { messages: batch.messages.map((message) => ({ ...message, lane: batch.lane as Lane })), bytes };
}

/** @throws FrameError `invalid`, `unsupported`. */
export function checkUplink(message: Message<string, unknown>): UplinkMessage {
  checkPayload(message, validators);
  return message as UplinkMessage;
}
