import { describeErrors } from '@bowline/messages/check';
import { Ajv2020 } from 'ajv/dist/2020.js';

/**
 * A JSON Schema 2020-12 from a file of this device → what it has against a value. Strict: a misspelt keyword would
 * otherwise allow everything; so would ajv's own `$async`, with which a promise is the answer.
 *
 * @throws Error of ajv: not a schema.
 */
export function compileSchema(schema: Record<string, unknown>): (value: unknown) => string | undefined {
  const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(
    schema,
  );
  if ('$async' in validate) throw new Error('$async is not of JSON Schema: leave it out');
  return (value) => (validate(value) === true ? undefined : describeErrors(validate.errors, 'params'));
}
