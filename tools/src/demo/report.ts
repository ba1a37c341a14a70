import Table from 'cli-table3';
import type { RunningDemo } from './start-demo.ts';

const NO_RULES_BETWEEN_ROWS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

/** What a person sees when all is up. */
export function report(
  { installation, processes, already, rotates }: RunningDemo,
  elapsedMs: number,
): string {
  const table = new Table({
    head: ['process', 'pid', 'state', 'memory'],
    style: { head: [], border: [] },
    chars: NO_RULES_BETWEEN_ROWS,
  });
  for (const { name, pid, status, memoryBytes, namespace } of processes) {
    if (namespace === 'upkeep') continue;
    table.push([name, String(pid), status, `${Math.round(memoryBytes / 2 ** 20)} MB`]);
  }
  const device = installation.deviceId ?? 'demo';
  const headline = already
    ? 'Bowline runs already. For another port: npm stop, then npm start -- --port N.'
    : `Bowline runs: a server and the device "${device}", connected (${(elapsedMs / 1000).toFixed(1)} s).`;
  return [
    headline,
    table.toString(),
    `Console:  ${installation.consoleUrl ?? ''}`,
    '',
    'Try:',
    `  npx bowline fleet command ${device} ping    an order to the device, followed to its end`,
    '  npx bowline status                     what the device itself says',
    '  npx bowline logs telemetry-collector   what one process writes',
    '  npx bowline restart ws-gateway         ends and starts one process; the others go on',
    '',
    'npm stop ends all of it; its state stays in .bowline.',
    ...(rotates
      ? []
      : [
          'The logs are not rotated, since logrotate is not installed; sudo apt-get install logrotate gets it.',
        ]),
  ].join('\n');
}
