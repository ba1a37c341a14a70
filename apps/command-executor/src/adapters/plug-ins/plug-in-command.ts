import { describeErrors } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck } from '../../core/command.ts';
import type { Manifest } from '../../manifest.ts';
import { ProgramOutput } from '../../core/program-output.ts';
import type { Programs } from '../programs/run-program.ts';

const NO_PARAMS: JsonSchema = { type: 'object', properties: {}, additionalProperties: false };

export interface PlugInParts {
  manifest: Manifest;
  /** Absolute path of the executable. */
  file: string;
  folder: string;
  programs: Pick<Programs, 'run'>;
  compile(schema: JsonSchema): ParamsCheck;
  /** Characters of a line of output that are kept. */
  lineChars: number;
}

/**
 * A plug-in as a command.
 *
 * @throws Error of ajv: one of its schemas is none.
 */
export function plugInCommand({
  manifest,
  file,
  folder,
  programs,
  compile,
  lineChars,
}: PlugInParts): Command {
  const { name, description, idempotent, params = NO_PARAMS, result = {}, user, limits = {} } = manifest;
  const checkResult = compile(result);
  return defineCommand<Record<string, unknown>>(
    {
      name,
      description,
      idempotent,
      params,
      result,
      ...(manifest.concurrency === undefined ? {} : { concurrency: manifest.concurrency }),
      ...(manifest.timeoutMs === undefined ? {} : { timeoutMs: manifest.timeoutMs }),
      signed: manifest.policy?.signed === true,
      user: () => user,
      endsWhenTold: true,
      run: async (given, { order, signal, progress }) => {
        const output = new ProgramOutput(progress, lineChars);
        await programs.run(
          {
            order,
            command: name,
            file,
            args: [],
            cwd: folder,
            input: `${JSON.stringify(given)}\n`,
            user,
            limits,
            onOutput: (text, say) => output.push(text, say),
          },
          signal,
        );
        const { value, isWhole } = output.result();
        if (isWhole && !checkResult(value))
          throw new RejectedError('invalid-result', describeErrors(checkResult.errors, 'result'));
        return value;
      },
    },
    compile(params),
    'plug-in',
  );
}
