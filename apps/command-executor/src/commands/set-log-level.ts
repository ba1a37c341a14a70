import type { CommandDefinition } from '../core/command.ts';

interface Params {
  app: string;
  level: string;
  forMs?: number;
}

const APPS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'ota-updater', 'ssh-broker'] as const;

/** Until the process ends; what it starts with is for its configuration to say. */
export const setLogLevel: CommandDefinition<Params> = {
  name: 'setLogLevel',
  description: 'Changes how much one of the processes logs, until it is started anew or the time is over.',
  idempotent: true,
  cannotStop: true,
  params: {
    type: 'object',
    required: ['app', 'level'],
    properties: {
      app: { enum: APPS },
      level: { enum: ['debug', 'info', 'warn', 'error'] },
      forMs: {
        type: 'integer',
        minimum: 1000,
        maximum: 86_400_000,
        description: 'then the level is what it was before; absent: it stays',
      },
    },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['app', 'level', 'previous'],
    properties: { app: { type: 'string' }, level: { type: 'string' }, previous: { type: 'string' } },
    additionalProperties: false,
  },
  run: async ({ app, level, forMs }, { machine }) => ({
    app,
    level,
    previous: await machine.setLogLevel(app, level, forMs),
  }),
};
