import type { ErrorObject, KeywordCxt } from 'ajv';
import { _, Ajv2020 } from 'ajv/dist/2020.js';
import { linearRegExp } from './linear-reg-exp.ts';
import { StepLimit, TooManySteps } from './step-limit.ts';
import { uniqueItems } from './unique-items.ts';

/** For one value; a list of 100,000 numbers takes about 300,000. */
const MAX_STEPS = 2_000_000;
/** For the schema itself. */
const MAX_COMPILE_STEPS = 10_000_000;

/** Says no within a bounded time, whatever schema and value are. */
export interface SchemaCheck {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null | undefined;
}

/**
 * A JSON Schema 2020-12 that others have written (plug-in, program, module, policy) → its validator. Strict: a misspelt keyword
 * would otherwise allow everything; so would ajv's own `$async`, with which a promise is the answer. No schema and no value can
 * hold up the process that checks: patterns are RE2's (ADR 0033), and what takes too many steps is refused (ADR 0041).
 *
 * Import it when a first schema is there, not at start: ajv and RE2 cost memory.
 *
 * @throws Error not a schema, or a pattern that RE2 cannot match.
 */
export function compileSchema(schema: Readonly<Record<string, unknown>>): SchemaCheck {
  const limit = new StepLimit();
  const ajv = new Ajv2020({
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    // The check that this turns off compares patterns with names of properties by JavaScript's RegExp.
    allowMatchingProperties: true,
    code: { regExp: limitedRegExp(limit) },
  });
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword(uniqueItems(limit));
  countSteps(ajv, limit);
  limit.begin(MAX_COMPILE_STEPS);
  const validate = ajv.compile({ ...schema });
  if ('$async' in validate) throw new Error('$async is not of JSON Schema: leave it out');
  const check: SchemaCheck = (value) => {
    limit.begin(MAX_STEPS);
    try {
      const isValid = validate(value);
      check.errors = validate.errors;
      return isValid;
    } catch (error) {
      // A RangeError: a schema that refers to itself at the same place has no end.
      if (!(error instanceof TooManySteps || error instanceof RangeError)) throw error;
      check.errors = [TOO_LONG];
      return false;
    }
  };
  return check;
}

const TOO_LONG: ErrorObject = {
  instancePath: '',
  schemaPath: '#',
  keyword: 'steps',
  params: {},
  message: `takes too long to be held against its schema (more than ${MAX_STEPS} steps)`,
};

function limitedRegExp(limit: StepLimit) {
  const make = (pattern: string) => {
    const compiled = linearRegExp(pattern);
    const size = compiled.programSize();
    return {
      test: (text: string) => {
        limit.take((text.length * size) / 64);
        return compiled.test(text);
      },
      // ajv takes two for the same whose text is the same.
      toString: () => pattern,
    };
  };
  make.code = linearRegExp.code;
  return make;
}

/** Each keyword counts when its turn comes, by what it has to look at. */
function countSteps(ajv: Ajv2020, limit: StepLimit): void {
  for (const rule of Object.values(ajv.RULES.all)) {
    if (typeof rule !== 'object' || !('code' in rule.definition)) continue;
    const { definition, keyword } = rule;
    const code = definition.code;
    definition.code = (cxt: KeywordCxt, ruleType?: string) => {
      const count = cxt.gen.scopeValue('func', { ref: stepsOf(keyword, cxt.schema, limit) });
      cxt.gen.code(_`${count}(${cxt.data})`);
      code(cxt, ruleType);
    };
  }
}

/** Each of their branches may leave an error behind, which takes memory. */
const BRANCHING = ['anyOf', 'oneOf', 'not', 'if', 'contains'];
const OVER_NAMES = [
  'additionalProperties',
  'patternProperties',
  'propertyNames',
  'unevaluatedProperties',
  'minProperties',
  'maxProperties',
];

function stepsOf(keyword: string, schema: unknown, limit: StepLimit): (data: unknown) => void {
  const own = BRANCHING.includes(keyword) ? 8 : 1 + sizeOf(keyword, schema) / 4;
  const overNames = OVER_NAMES.includes(keyword);
  return (data) => {
    limit.take(own);
    if (typeof data === 'string') limit.take(data.length / 32);
    else if (Array.isArray(data)) limit.take(data.length / 8);
    else if (overNames && typeof data === 'object' && data !== null) limit.take(Object.keys(data).length);
  };
}

function sizeOf(keyword: string, schema: unknown): number {
  if (typeof schema !== 'object' || schema === null) return 0;
  if (keyword === 'enum' || keyword === 'const') return JSON.stringify(schema).length / 8;
  return Array.isArray(schema) ? schema.length : Object.keys(schema).length;
}
