/** The instants that were passed, one a line; the second time that one comes it is `2 NAME`. */
export function instantsIn(seen: string): string[] {
  const times = new Map<string, number>();
  return seen
    .trim()
    .split('\n')
    .map((name) => {
      const time = (times.get(name) ?? 0) + 1;
      times.set(name, time);
      return `${time} ${name}`;
    });
}
