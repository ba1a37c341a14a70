/**
 * The commands in a README: the lines of its shell blocks without prompt and comment, `a && b` as two, and in its text
 * what is set as code and begins with `npm` or `npx`. The end-to-end test runs these, so that the README and what is tested cannot drift apart.
 */
export function readmeCommands(markdown: string): string[] {
  const commands: string[] = [];
  for (const [, block, inline] of markdown.matchAll(
    /^```(?:sh|bash|shell|console)\n([\s\S]*?)^```|`(np[mx] [^`\n]+)`/gm,
  )) {
    for (const line of (block ?? inline ?? '').split('\n')) {
      const text = line.replace(/^\$ /, '').replace(/(^|\s+)#.*$/, '');
      commands.push(...text.split('&&').map((command) => command.trim()));
    }
  }
  return commands.filter((command) => command !== '');
}
