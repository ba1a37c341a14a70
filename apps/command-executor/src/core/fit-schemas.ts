import { MAX_PAYLOAD_NESTING, nestsBelow } from '@bowline/messages/frame';
import { utf8Bytes } from './utf8-bytes.ts';

interface Described {
  name: string;
  params?: object;
  result?: object;
}

/** Of a command in the list of a result, itself counted: the ack's payload, the result and the list are around it. */
const MOST_LEVELS = MAX_PAYLOAD_NESTING - 3;

/**
 * A list of commands of which so many bytes can be told: the largest schemas are left out, and it says of which commands, so
 * that each can be asked for by its name. Schemas that nest deeper than an answer may are never told.
 */
export function fitSchemas<C extends Described>(
  commands: readonly C[],
  maxBytes: number,
): { commands: (C | Omit<C, 'params' | 'result'>)[]; schemasLeftOut?: string[] } {
  const tooDeep = commands.filter((command) => nestsBelow(command, MOST_LEVELS)).map(({ name }) => name);
  const leftOut = new Set(tooDeep);
  const shown = (command: C) => (leftOut.has(command.name) ? bare(command) : command);
  const sizes = commands.map((command) => utf8Bytes(JSON.stringify(shown(command))));
  let left = maxBytes - sizes.reduce((sum, size) => sum + size + 1, 0);
  const largestFirst = commands
    .map((command, at) => ({
      name: command.name,
      size: (sizes[at] ?? 0) - utf8Bytes(JSON.stringify(bare(command))),
    }))
    .toSorted((a, b) => b.size - a.size);
  for (const { name, size } of largestFirst) {
    if (left >= 0) break;
    left += size - utf8Bytes(JSON.stringify(name)) - 1;
    leftOut.add(name);
  }
  if (leftOut.size === 0) return { commands: [...commands] };
  return {
    commands: commands.map(shown),
    schemasLeftOut: [...leftOut].toSorted(),
  };
}

const SCHEMAS = ['params', 'result'];

const bare = <C extends Described>(command: C) =>
  Object.fromEntries(Object.entries(command).filter(([name]) => !SCHEMAS.includes(name))) as Omit<
    C,
    'params' | 'result'
  >;
