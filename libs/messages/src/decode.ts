import { ContractError } from '@bowline/runtime/errors';
import type { ValidateFunction } from 'ajv';
import { check } from './check.ts';
import type { Message } from './envelope.ts';
import { parseFrame, readableId } from './frame.ts';
import * as envelopes from './generated/envelope.js';

/** What a failed decode knew of the frame, so that the caller can answer `reject` or ack `rejected`. */
export interface FailedFrame {
  /** Of the message, null if it had none that reads. */
  id: string | null;
  type: string | undefined;
  /** The sequence number, if the envelope itself was good: a final reject uses it up. */
  seq: number | undefined;
  /** As far as it reads. */
  lane: string | undefined;
}

/** A frame whose envelope or payload breaks the contract. Broken JSON and size come as plain {@link ContractError}. */
export class FrameError extends ContractError {
  readonly frame: FailedFrame;

  constructor(code: string, message: string, frame: FailedFrame) {
    super(code, message);
    this.frame = frame;
  }
}

/** A frame as one value, its envelope checked. */
export function decodeEnvelope(value: unknown): Message<string, Record<string, unknown>> {
  try {
    return check(envelopes.envelope, value, '');
  } catch (error) {
    throw unreadable(value, (error as ContractError).message);
  }
}

/** Checks the payload of a message by its type; unknown types are `unsupported`. */
export function checkPayload(
  message: Message<string, unknown>,
  validators: Record<string, ValidateFunction>,
): void {
  const frame = { id: message.id, type: message.type, seq: message.seq, lane: message.lane };
  const validate = Object.hasOwn(validators, message.type) ? validators[message.type] : undefined;
  if (validate === undefined) throw new FrameError('unsupported', `unknown type ${message.type}`, frame);
  try {
    check(validate, message.payload, 'payload');
  } catch (error) {
    throw new FrameError('invalid', (error as ContractError).message, frame);
  }
}

/** A frame whose envelope is broken: what of it reads all the same. */
export function unreadable(value: unknown, why: string): FrameError {
  const [type, lane] = [readable(value, 'type'), readable(value, 'lane')];
  return new FrameError('invalid', why, { id: readableId(value), type, seq: undefined, lane });
}

function readable(value: unknown, member: 'type' | 'lane'): string | undefined {
  const found = typeof value === 'object' && value !== null ? Reflect.get(value, member) : undefined;
  return typeof found === 'string' ? found.slice(0, 64) : undefined;
}

export { parseFrame };
