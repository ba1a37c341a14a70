import { ContractError } from '@bowline/runtime/errors';
import type { ErrorObject, ValidateFunction } from 'ajv';

/** What was wrong, in one sentence that names the field: `payload/samples/0/at must be integer`. */
export function describeErrors(errors: readonly ErrorObject[] | null | undefined, root = 'payload'): string {
  const [first] = errors ?? [];
  if (first === undefined) return `${root} is not valid`;
  const extra: Record<string, unknown> = first.params;
  const named = extra['additionalProperty'] ?? extra['allowedValues'];
  return `${root}${first.instancePath} ${first.message ?? 'is not valid'}${named === undefined ? '' : `: ${String(named)}`}`;
}

/**
 * Narrows `value` to the type that the schema behind `validate` describes.
 *
 * @throws ContractError `invalid`, naming the field.
 */
export function check<T>(validate: ValidateFunction, value: unknown, root?: string): T {
  if (!validate(value)) throw new ContractError('invalid', describeErrors(validate.errors, root));
  return value as T;
}
