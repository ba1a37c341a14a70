import { describeErrors } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck } from '../../core/command.ts';
import type { Description } from '../../manifest.ts';
import type { ModuleThread } from './module-thread-host.ts';

const NO_PARAMS: JsonSchema = { type: 'object', properties: {}, additionalProperties: false };

/**
 * A module of the folder as a command.
 *
 * @param thread the one that it runs in; a new one if the last has ended.
 * @throws Error of ajv: one of its schemas is none.
 */
export function moduleCommand(
  { name, description, idempotent, params = NO_PARAMS, result = {}, ...more }: Description,
  thread: () => Promise<ModuleThread>,
  compile: (schema: JsonSchema) => ParamsCheck,
): Command {
  const checkResult = compile(result);
  const { concurrency, timeoutMs, policy } = more;
  return defineCommand<Record<string, unknown>>(
    {
      name,
      description,
      idempotent,
      params,
      result,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      signed: policy?.signed === true,
      endsWhenTold: true,
      run: async (given, context) => {
        const value = await (await thread()).run(given, context);
        if (!checkResult(value))
          throw new RejectedError('invalid-result', describeErrors(checkResult.errors, 'result'));
        return value;
      },
    },
    compile(params),
    'module',
  );
}
