import { readFileSync } from 'node:fs';

/**
 * Ids of the messages that the collector was told are accepted, in the order in which it handed them over: it writes them to
 * its log (level `debug`) as soon as it is told. The last line of a life may be torn.
 */
export function acceptedByCollector(logFile: string): string[] {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .flatMap((line) => {
      if (!line.includes('"samples handed over"')) return [];
      try {
        return (JSON.parse(line) as { ids: string[] }).ids;
      } catch {
        return [];
      }
    });
}
