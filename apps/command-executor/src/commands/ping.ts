import type { CommandDefinition } from '../core/command.ts';

/** Is anybody there? Goes the whole way of an order and changes nothing. */
export const ping: CommandDefinition<Record<string, never>> = {
  name: 'ping',
  description: 'Answers with the time and the uptime of the device.',
  idempotent: true,
  params: { type: 'object', properties: {}, additionalProperties: false },
  result: {
    type: 'object',
    required: ['pong', 'at', 'uptimeSeconds'],
    properties: {
      pong: { const: true },
      at: { type: 'integer', description: "the device's wall clock, epoch milliseconds" },
      uptimeSeconds: { type: 'number', minimum: 0, description: 'since the device booted' },
    },
    additionalProperties: false,
  },
  run: (_, { clock, device }) => ({
    pong: true,
    at: Math.round(clock.wallMs()),
    uptimeSeconds: device.uptimeSeconds(),
  }),
};
