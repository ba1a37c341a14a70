import type { ValidateFunction } from 'ajv';
import type { UplinkPayload, UplinkType } from './catalogue.ts';
import { ContractError } from '@bowline/runtime/errors';
import { check } from './check.ts';
import { MAX_PAYLOAD_NESTING, nestsBelow } from './frame.ts';
import * as strict from './generated/uplink-strict.js';

const validators: Record<UplinkType, ValidateFunction> = { ...strict };

/**
 * What a device sends is validated strictly before it is stored (protocol, section 2): unknown members are errors, and so
 * is a depth that no frame can carry (section 1), since nothing is to be accepted that could never be delivered.
 *
 * @throws ContractError `invalid`, naming the field; `too-deep`.
 */
export function checkOutgoing<T extends UplinkType>(type: T, payload: unknown): UplinkPayload<T> {
  const checked = check<UplinkPayload<T>>(validators[type], payload);
  // Samples have no member of any shape; the others have one.
  if (type !== 'telemetry' && nestsBelow(payload, MAX_PAYLOAD_NESTING)) {
    throw new ContractError('too-deep', `a ${type} may nest ${MAX_PAYLOAD_NESTING} levels deep`);
  }
  return checked;
}
