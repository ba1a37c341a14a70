import { MAX_PAYLOAD_NESTING, nestsBelow } from '@bowline/messages/frame';
import { ContractError } from '@bowline/runtime/errors';
import { event as validEvent } from '../../generated/ingest.js';
import type { GivenEvent, GivenEventBody } from '../../bodies.ts';
import { explain } from './decode-samples.ts';
import { TOO_LARGE, tooLargeIn } from './too-large.ts';

/** Printable, without blanks, as most who make keys do. */
const KEY = /^[\x21-\x7e]{1,128}$/;

/**
 * @param text JSON of one event.
 * @throws ContractError `broken-json`, `invalid` (also of a number that would be kept as null), `too-deep`.
 */
export function decodeEvent(text: string): GivenEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ContractError('broken-json', `the body is not JSON: ${(error as Error).message}`);
  }
  if (!validEvent(value))
    throw new ContractError('invalid', `the event: ${explain(validEvent, value, '{"kind":"door.opened"}')}`);
  const { severity = 'info', data = {}, ...rest } = value as GivenEventBody;
  const event = { ...rest, severity, data };
  if (nestsBelow(event, MAX_PAYLOAD_NESTING))
    throw new ContractError('too-deep', `the event nests deeper than ${MAX_PAYLOAD_NESTING} levels`);
  const place = tooLargeIn(data, 'data');
  if (place !== undefined) throw new ContractError('invalid', `the event: "${place}" ${TOO_LARGE}`);
  return event;
}

/**
 * The key by which a repeated request is known; none is no key.
 *
 * @throws ContractError `invalid`
 */
export function decodeKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !KEY.test(header))
    throw new ContractError(
      'invalid',
      'Idempotency-Key must be 1 to 128 printable characters without blanks',
    );
  return header;
}
