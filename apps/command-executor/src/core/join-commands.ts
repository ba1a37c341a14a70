import type { BrokenCommand, Command } from './command.ts';

export interface Commands {
  commands: readonly Command[];
  broken: readonly BrokenCommand[];
}

/**
 * What comes with Bowline first, then each source in its turn: none takes the place of a command that is there.
 */
export function joinCommands(builtIn: readonly Command[], sources: readonly Commands[]): Commands {
  const byName = new Map(builtIn.map((command) => [command.name, command]));
  const broken = sources.flatMap((source) => source.broken);
  for (const command of sources.flatMap(({ commands }) => commands)) {
    const taken = byName.get(command.name);
    if (taken === undefined) byName.set(command.name, command);
    else
      broken.push({ name: command.name, why: `there is a command of this name already (${taken.origin})` });
  }
  return { commands: [...byName.values()], broken };
}

/** What is worth a line in the log or a word to the operators. */
export function newsOf(
  before: Commands,
  now: Commands,
): { added: string[]; changed: string[]; removed: string[]; newlyBroken: BrokenCommand[] } {
  const had = new Map(before.commands.map((command) => [command.name, command]));
  const has = new Map(now.commands.map((command) => [command.name, command]));
  const known = new Set(before.broken.map(({ name, why }) => `${name}\n${why}`));
  return {
    added: [...has.keys()].filter((name) => !had.has(name)),
    changed: [...has]
      .filter(([name, command]) => had.has(name) && had.get(name) !== command)
      .map(([name]) => name),
    removed: [...had.keys()].filter((name) => !has.has(name)),
    newlyBroken: now.broken.filter(({ name, why }) => !known.has(`${name}\n${why}`)),
  };
}
