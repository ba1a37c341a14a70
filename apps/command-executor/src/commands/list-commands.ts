import type { CommandDefinition } from '../core/command.ts';
import { fitSchemas } from '../core/fit-schemas.ts';

/** For the rest of the answer. */
const AROUND_BYTES = 256;

/** What may be asked of this device, and how. */
export const listCommands: CommandDefinition<{ names?: string[] }> = {
  name: 'listCommands',
  description: 'Lists the commands of this device with the schemas of their params and results.',
  idempotent: true,
  params: {
    type: 'object',
    properties: {
      names: {
        type: 'array',
        items: { type: 'string' },
        minItems: 1,
        description: 'only these; with many commands the whole list may not fit into one answer',
      },
    },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['commands'],
    properties: {
      commands: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'description', 'origin', 'idempotent', 'concurrency', 'allowed', 'signed'],
          properties: {
            name: { type: 'string' },
            description: { type: 'string' },
            origin: { enum: ['built-in', 'plug-in', 'module', 'program'] },
            idempotent: { type: 'boolean' },
            concurrency: { enum: ['shared', 'per-name', 'exclusive'] },
            timeoutMs: { type: 'integer', description: 'the most that an order may ask for, if it says so' },
            allowed: { type: 'boolean', description: "by the device's own policy" },
            away: { const: true, description: 'its program is not there for the moment' },
            signed: { type: 'boolean', description: 'whether policy or command want a signature' },
            params: { type: 'object' },
            result: { type: 'object' },
          },
          additionalProperties: false,
        },
      },
      schemasLeftOut: {
        type: 'array',
        items: { type: 'string' },
        description:
          'commands whose schemas do not fit into this answer, or nest too deep for any: ask for the others by `names`',
      },
      broken: {
        type: 'array',
        description: 'plug-ins and modules that cannot be used, and why',
        items: {
          type: 'object',
          required: ['name', 'why'],
          properties: { name: { type: 'string' }, why: { type: 'string' } },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
  run: ({ names }, { commands, policy, broken, resultBytes }) => {
    const told = commands
      .filter(({ name }) => names === undefined || names.includes(name))
      .map(
        ({
          name,
          description,
          origin,
          idempotent,
          concurrency,
          timeoutMs,
          signed,
          params,
          result,
          isAway,
        }) => ({
          name,
          description,
          origin,
          ...(isAway?.() === true ? { away: true } : {}),
          idempotent,
          concurrency: concurrency ?? 'shared',
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          allowed: policy.isAllowed(name),
          signed: signed === true || policy.needsSignature(name),
          params,
          result,
        }),
      );
    const rest = broken.length === 0 ? {} : { broken };
    const room = resultBytes - AROUND_BYTES - Buffer.byteLength(JSON.stringify(rest));
    return { ...fitSchemas(told, room), ...rest };
  },
};
