import type { ValidateFunction } from 'ajv';
import type { UplinkPayload, UplinkType } from './catalogue.ts';
import { check } from './check.ts';
import * as strict from './generated/uplink-strict.js';

const validators: Record<UplinkType, ValidateFunction> = { ...strict };

/**
 * What a device sends is validated strictly before it is stored (protocol, section 2): unknown members are errors.
 *
 * @throws ContractError `invalid`, naming the field.
 */
export function checkOutgoing<T extends UplinkType>(type: T, payload: unknown): UplinkPayload<T> {
  return check(validators[type], payload);
}
