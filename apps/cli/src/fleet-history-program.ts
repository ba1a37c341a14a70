import { Option, type Command } from 'commander';
import { duration, withoutUndefined, wholeNumber } from './arguments.ts';
import { askHistory, getHistory, getUpload, listUploads } from './commands/fleet-history.ts';
import type { FleetCommands } from './fleet-enrolment-program.ts';
import { fromOption, toOption } from './history-program.ts';

interface AskOptions {
  kind: string;
  series?: string[];
  from: number;
  to: number;
  resolution?: number;
  app?: string;
  filter?: string;
  maxBytes?: number;
  timeout: number;
  output?: string;
}

/** `bowline fleet history`: what devices hold, fetched on demand. */
export function addFleetHistory(
  fleet: Command,
  { contextOf, apiOf, json, exit }: FleetCommands & { exit: (code: number) => void },
): void {
  const history = fleet
    .command('history')
    .description('what a device has recorded or logged: ask, get, uploads');
  history
    .command('ask')
    .description('has a device send it, and waits for the answer')
    .argument('<device>', 'its id')
    .addOption(new Option('--kind <kind>').choices(['telemetry', 'logs', 'journal']).default('telemetry'))
    .option('--series <names...>', 'of telemetry; all of them without')
    .addOption(fromOption())
    .addOption(toOption())
    .option('--resolution <duration>', 'join what falls into the same stretch, e.g. 1m', duration)
    .option('--app <name>', 'whose log, e.g. ws-gateway')
    .option('--filter <text>', 'only lines of the log with this text')
    .option('--max-bytes <count>', 'the device refuses to send more', wholeNumber)
    .option('--timeout <duration>', 'how long to wait; the order itself goes on', duration, 300_000)
    .option('-o, --output <file>', 'one item a line (NDJSON); standard output without')
    .addOption(json())
    .action(async (device: string, options: AskOptions, command: Command) => {
      const { kind, series, from, to, resolution: resolutionMs, app, filter, maxBytes } = options;
      const payload = {
        kind,
        from,
        to,
        ...withoutUndefined({ series, resolutionMs, app, filter, maxBytes }),
      };
      const { timeout: timeoutMs, output } = options;
      exit(await askHistory(contextOf(command), apiOf(command), device, { payload, timeoutMs, output }));
    });
  history
    .command('get')
    .description('the answer to an order that was given before')
    .argument('<order>', 'its id')
    .option('-o, --output <file>', 'one item a line (NDJSON); standard output without')
    .addOption(json())
    .action(async (orderId: string, { output }: { output?: string }, command: Command) =>
      exit(await getHistory(contextOf(command), apiOf(command), orderId, output)),
    );
  history
    .command('uploads')
    .description('the logs that a device has sent on its own schedule: all of them, or what is in one')
    .argument('<device>', 'its id')
    .argument('[upload]', 'id of an upload')
    .option('-o, --output <file>', 'of one: one item a line (NDJSON); standard output without')
    .addOption(json())
    .action(
      async (
        deviceId: string,
        uploadId: string | undefined,
        { output }: { output?: string },
        command: Command,
      ) => {
        const [context, api] = [contextOf(command), apiOf(command)];
        exit(
          uploadId === undefined
            ? await listUploads(context, api, deviceId)
            : await getUpload(context, api, { deviceId, uploadId }, output),
        );
      },
    );
}
