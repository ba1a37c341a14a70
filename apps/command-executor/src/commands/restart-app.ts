import type { CommandDefinition } from '../core/command.ts';

interface Params {
  app: string;
}

/** This app's own name in pm2: its restart cannot be waited for here. */
const OURSELVES = 'command-executor';

export const restartApp: CommandDefinition<Params> = {
  name: 'restartApp',
  description: 'Ends one of the processes of Bowline and starts it again, by pm2.',
  idempotent: true,
  concurrency: 'per-name',
  cannotStop: true,
  params: {
    type: 'object',
    required: ['app'],
    properties: {
      app: {
        type: 'string',
        minLength: 1,
        maxLength: 64,
        pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$',
        description: 'its name in pm2, such as ws-gateway',
      },
    },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['app', 'previousPid'],
    properties: {
      app: { type: 'string' },
      pid: { type: 'integer' },
      previousPid: { type: 'integer', description: '0 if it did not run' },
      tookMs: { type: 'integer', minimum: 0 },
    },
    additionalProperties: false,
  },
  // Without it, an order to restart this app would be carried out again by each new life of it, for ever.
  confirmation: {
    note: ({ app }, device) => (app === OURSELVES ? { process: device.processId() } : undefined),
    happened: (note, { app }, device) => {
      const { process } = note as { process: string };
      return process === device.processId() ? undefined : { app, previousPid: Number(process.split(':')[0]) };
    },
  },
  run: ({ app }, { machine }) => machine.restartApp(app),
};
