interface LogLine {
  time?: unknown;
  state?: unknown;
  message?: unknown;
}

/** What an app last said of a configuration that it cannot use, in this life. @param log its lines, the first one perhaps cut. */
export function misconfiguredSince(log: string, startedAt: number): string | undefined {
  const line = log
    .split('\n')
    .map(parsed)
    .findLast(({ state, time }) => state === 'misconfigured' && Date.parse(String(time)) >= startedAt);
  return line === undefined ? undefined : String(line.message);
}

function parsed(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
