/** What a new command is until somebody makes it his own: it greets somebody, which shows params, progress, log and result. */
export const exampleOf = (name: string) => ({
  name,
  description: `What ${name} does, in one sentence for operators.`,
  idempotent: false,
  params: {
    type: 'object',
    required: ['who'],
    properties: { who: { type: 'string', minLength: 1, maxLength: 100, description: 'whom to greet' } },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['greeting'],
    properties: { greeting: { type: 'string' } },
    additionalProperties: false,
  },
  timeoutMs: 10_000,
});

export interface NewFile {
  text: string;
  mode: number;
}
