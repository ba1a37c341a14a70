import type { CommandDefinition } from '../core/command.ts';

/** What may be asked of this device, and how. */
export const listCommands: CommandDefinition<Record<string, never>> = {
  name: 'listCommands',
  description: 'Lists the commands of this device with the schemas of their params and results.',
  idempotent: true,
  params: { type: 'object', properties: {}, additionalProperties: false },
  result: {
    type: 'object',
    required: ['commands'],
    properties: {
      commands: {
        type: 'array',
        items: {
          type: 'object',
          required: ['name', 'description', 'idempotent', 'allowed', 'signed', 'params', 'result'],
          properties: {
            name: { type: 'string' },
            description: { type: 'string' },
            idempotent: { type: 'boolean' },
            allowed: { type: 'boolean', description: "by the device's own policy" },
            signed: { type: 'boolean', description: 'whether that policy wants a signature' },
            params: { type: 'object' },
            result: { type: 'object' },
          },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
  run: (_, { commands, policy }) => ({
    commands: commands.map(({ name, description, idempotent, params, result }) => ({
      name,
      description,
      idempotent,
      allowed: policy.isAllowed(name),
      signed: policy.needsSignature(name),
      params,
      result,
    })),
  }),
};
