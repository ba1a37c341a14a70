import type { Description } from '../manifest.ts';
import type { CommandDefinition, JsonSchema } from './command.ts';

const NO_PARAMS: JsonSchema = { type: 'object', properties: {}, additionalProperties: false };

/** What a plug-in's manifest, a module or a program says of a command of its own; how that is run is for each to add. */
export const described = ({
  name,
  description,
  idempotent,
  params = NO_PARAMS,
  result = {},
  concurrency,
  timeoutMs,
  policy,
}: Description) =>
  ({
    name,
    description,
    idempotent,
    params,
    result,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    signed: policy?.signed === true,
    endsWhenTold: true,
  }) satisfies Partial<CommandDefinition<Record<string, unknown>>>;
