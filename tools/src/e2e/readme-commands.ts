/**
 * The commands in a README's shell blocks, one a line, without prompt and comment; `a && b` counts as two. The
 * end-to-end test runs these, so that the README and what is tested cannot drift apart.
 */
export function readmeCommands(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```(?:sh|bash|shell|console)\n([\s\S]*?)^```/gm)];
  return blocks
    .flatMap(([, block]) => (block ?? '').split('\n'))
    .flatMap((line) =>
      line
        .replace(/^\$ /, '')
        .replace(/\s+#.*$/, '')
        .split('&&'),
    )
    .map((command) => command.trim())
    .filter((command) => command !== '' && !command.startsWith('#'));
}
