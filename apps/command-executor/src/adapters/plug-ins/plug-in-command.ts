import { describeErrors } from '@bowline/messages/check';
import { RejectedError } from '@bowline/runtime/errors';
import { defineCommand, type Command, type JsonSchema, type ParamsCheck } from '../../core/command.ts';
import { described } from '../../core/described-command.ts';
import type { Manifest } from '../../manifest.ts';
import { CutResult } from '../../core/outcome.ts';
import { ProgramOutput, shown } from '../../core/program-output.ts';
import type { Programs } from '../programs/run-program.ts';

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
  const { user, limits = {} } = manifest;
  const definition = described(manifest);
  const { name, result } = definition;
  const checkResult = compile(result);
  const isPromised = Object.keys(result).length > 0;
  return defineCommand<Record<string, unknown>>(
    {
      ...definition,
      user: () => user,
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
    compile(definition.params),
    'plug-in',
  );
}

const unjudged = ({ start, sizeBytes }: CutResult, lineChars: number): RejectedError =>
  new RejectedError(
    'invalid-result',
    `its result of ${sizeBytes} bytes is too long to be held against the schema of its manifest: ` +
      `only ${lineChars} characters of a line are kept (outputLineChars); it begins: ${shown(start)}`,
  );
