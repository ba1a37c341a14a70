import { describeErrors } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck } from '../../core/command.ts';
import { described } from '../../core/described-command.ts';
import type { Description } from '../../manifest.ts';
import type { ModuleThread } from './module-thread-host.ts';

/**
 * A module of the folder as a command.
 *
 * @param thread the one that it runs in; a new one if the last has ended.
 * @throws Error of ajv: one of its schemas is none.
 */
export function moduleCommand(
  description: Description,
  thread: () => Promise<ModuleThread>,
  compile: (schema: JsonSchema) => ParamsCheck,
): Command {
  const definition = described(description);
  const checkResult = compile(definition.result);
  return defineCommand<Record<string, unknown>>(
    {
      ...definition,
      run: async (given, context) => {
        const value = await (await thread()).run(given, context);
        if (!checkResult(value))
          throw new RejectedError('invalid-result', describeErrors(checkResult.errors, 'result'));
        return value;
      },
    },
    compile(definition.params),
    'module',
  );
}
