import { describeErrors } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck } from '../../core/command.ts';
import type { Manifest } from '../../manifest.ts';
import { CutResult } from '../../core/outcome.ts';
import { ProgramOutput, shown } from '../../core/program-output.ts';
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
  const isPromised = Object.keys(result).length > 0;
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
            hasResult: () => output.hasResult(),
          },
          signal,
        );
        const value = output.result();
        if (value instanceof CutResult) {
          if (isPromised) throw unjudged(value, lineChars);
          return value;
        }
        if (!checkResult(value))
          throw new RejectedError('invalid-result', describeErrors(checkResult.errors, 'result'));
        return value;
      },
    },
    compile(params),
    'plug-in',
  );
}

const unjudged = ({ start, sizeBytes }: CutResult, lineChars: number): RejectedError =>
  new RejectedError(
    'invalid-result',
    `its result of ${sizeBytes} bytes is too long to be held against the schema of its manifest: ` +
      `only ${lineChars} characters of a line are kept (outputLineChars); it begins: ${shown(start)}`,
  );
