import type { CommandDefinition } from '../core/command.ts';

interface Params {
  script: string;
  user?: string;
}

/** Whatever somebody may think of: only where the device's own policy names it. */
export const runScript: CommandDefinition<Params> = {
  name: 'runScript',
  description: 'Runs a script of the shell. Off unless the policy of the device allows it.',
  idempotent: false,
  endsWhenTold: true,
  user: ({ user }) => user,
  params: {
    type: 'object',
    required: ['script'],
    properties: {
      script: { type: 'string', minLength: 1, maxLength: 32_768 },
      user: {
        type: 'string',
        pattern: '^[a-z_][a-z0-9_-]{0,31}$',
        description:
          "system user that it runs as; the policy's `users` must name it. Absent: one without rights",
      },
    },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['stdout', 'stderr'],
    properties: {
      stdout: { type: 'string' },
      stderr: { type: 'string' },
      truncated: { const: true, description: 'not all that it said is here' },
    },
    additionalProperties: false,
  },
  run: async ({ script, user }, { machine, order, signal }) => {
    const { stdout, stderr, truncated } = await machine.script({ text: script, user }, order, signal);
    return { stdout, stderr, ...(truncated ? { truncated } : {}) };
  },
};
