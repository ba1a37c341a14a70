import type { LinkAttempt } from '@bowline/messages/hub';
import { askGateway } from '../adapters/gateway.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { dayAndTime, duration } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline status --link`: why the device was dark, attempt by attempt, oldest first; kept across restarts. */
export async function linkLog({ json, version, installation }: Context): Promise<void> {
  const { attempts } = await askGateway({ ...installation(), version }, 'linkLog', {});
  if (json) return printJson({ attempts });
  if (attempts.length === 0) return print('No attempt has failed and no link has ended yet.');
  print(table(['when', 'stage', 'after', 'code', 'what happened'], attempts.map(rowOf)));
}

const rowOf = ({ at, stage, lastedMs, code, message }: LinkAttempt): string[] => [
  dayAndTime(at),
  stage,
  duration(lastedMs),
  code,
  message,
];
