import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { linearRegExp } from './linear-reg-exp.ts';

/**
 * A JSON Schema 2020-12 that others have written (plug-in, program, module, policy) → its validator. Strict: a misspelt keyword
 * would otherwise allow everything; so would ajv's own `$async`, with which a promise is the answer. Its patterns are RE2's:
 * none of them can hold up the process that checks (ADR 0033).
 *
 * Import it when a first schema is there, not at start: ajv and RE2 cost memory.
 *
 * @throws Error not a schema, or a pattern that RE2 cannot match.
 */
export function compileSchema(schema: Readonly<Record<string, unknown>>): ValidateFunction {
  const validate = new Ajv2020({
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    // The check that this turns off compares patterns with names of properties by JavaScript's RegExp.
    allowMatchingProperties: true,
    code: { regExp: linearRegExp },
  }).compile({ ...schema });
  if ('$async' in validate) throw new Error('$async is not of JSON Schema: leave it out');
  return validate;
}
