import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonSchema, ParamsCheck } from '../../core/command.ts';

/**
 * A JSON Schema 2020-12 of a plug-in → its validator. Strict: a misspelt keyword would otherwise allow everything; so would
 * ajv's own `$async`, with which a promise is the answer.
 *
 * @throws Error of ajv: not a schema.
 */
export function compileSchema(schema: JsonSchema): ParamsCheck {
  const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile({
    ...schema,
  });
  if ('$async' in validate) throw new Error('$async is not of JSON Schema: leave it out');
  return validate;
}
