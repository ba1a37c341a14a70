import type { OperatorsApi } from '../adapters/operators-api.ts';
import { print, printJson, table } from '../adapters/terminal.ts';
import { duration } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline fleet ssh-sessions` */
export async function listSshSessions({ json }: Context, api: OperatorsApi): Promise<void> {
  const sessions = await api.sshSessions();
  if (json) return printJson({ sessions });
  if (sessions.length === 0) return print('No ssh session is open.');
  print(
    table(
      ['session', 'device', 'user', 'by', 'ends in', 'connections', 'reason'],
      sessions.map((each) => [
        each.sessionId,
        each.deviceId,
        each.user ?? '',
        each.operator,
        duration(Math.max(0, each.expiresAt - Date.now())),
        `${each.openStreams} of ${each.streams}`,
        each.reason ?? '',
      ]),
    ),
  );
  return undefined;
}

/** `bowline fleet ssh-sessions end ID` */
export async function endSshSession({ json }: Context, api: OperatorsApi, sessionId: string): Promise<void> {
  const session = await api.endSshSession(sessionId);
  if (json) return printJson(session);
  return print(`Session ${sessionId} with ${session.deviceId} is over.`);
}
