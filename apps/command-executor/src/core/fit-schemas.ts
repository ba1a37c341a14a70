import { utf8Bytes } from './utf8-bytes.ts';

interface Described {
  name: string;
  params?: object;
  result?: object;
}

/**
 * A list of commands of which so many bytes can be told: the largest schemas are left out, and it says of which commands, so
 * that each can be asked for by its name.
 */
export function fitSchemas<C extends Described>(
  commands: readonly C[],
  maxBytes: number,
): { commands: (C | Omit<C, 'params' | 'result'>)[]; schemasLeftOut?: string[] } {
  const sizes = commands.map((command) => utf8Bytes(JSON.stringify(command)));
  let left = maxBytes - sizes.reduce((sum, size) => sum + size + 1, 0);
  const leftOut = new Set<string>();
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
    commands: commands.map((command) => (leftOut.has(command.name) ? bare(command) : command)),
    schemasLeftOut: [...leftOut].toSorted(),
  };
}

const SCHEMAS = ['params', 'result'];

const bare = <C extends Described>(command: C) =>
  Object.fromEntries(Object.entries(command).filter(([name]) => !SCHEMAS.includes(name))) as Omit<
    C,
    'params' | 'result'
  >;
