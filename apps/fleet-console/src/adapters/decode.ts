import { ContractError } from '@bowline/runtime/errors';
import type { ValidateFunction } from 'ajv';

/**
 * What the server sent, as the type that its schema describes; nothing is shown that was not checked.
 *
 * @throws ContractError `invalid`, naming the field.
 */
export function decode<T>(validate: ValidateFunction, value: unknown, name: string): T {
  if (validate(value)) return value as T;
  const [error] = validate.errors ?? [];
  throw new ContractError(
    'invalid',
    `${name}${error?.instancePath ?? ''} ${error?.message ?? 'is not valid'}`,
  );
}
