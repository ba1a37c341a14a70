import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonSchema, ParamsCheck } from '../../core/command.ts';

/**
 * A JSON Schema 2020-12 of a plug-in → its validator. Strict: a misspelt keyword would otherwise allow everything.
 *
 * @throws Error of ajv: not a schema.
 */
export const compileSchema = (schema: JsonSchema): ParamsCheck =>
  new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile({ ...schema });
