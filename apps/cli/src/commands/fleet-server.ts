import type { ServerInfo } from '@bowline/messages';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { dayAndTime, size } from '../core/format.ts';
import type { Context } from './context.ts';

/** `bowline fleet server`: who the server is, and what befell its store. */
export async function fleetServer({ json }: Context, api: OperatorsApi): Promise<void> {
  const server = await api.server();
  if (json) return printJson(server);
  const { serverId, serverEpoch, store, incidents } = server;
  print(`server ${serverId}, epoch ${serverEpoch}`);
  print(`store  ${size(store.usedBytes)} in a file of ${size(store.fileBytes)}`);
  for (const incident of incidents) tell(incident);
}

function tell({ at, kind, message, lost = [], lostInAll = 0 }: ServerInfo['incidents'][number]): void {
  print(`${paint('yellow', `${dayAndTime(at)} ${kind}`)}: ${message}`);
  const rows = lost.map(({ deviceId = '', kind: what, records, bytes }) => [
    '',
    deviceId,
    what,
    records === undefined ? '' : `${records} records`,
    bytes === undefined ? '' : size(bytes),
  ]);
  if (rows.length > 0) print(table(['lost:', 'device', 'what', '', ''], rows));
  if (lostInAll > lost.length) print(`  and ${lostInAll - lost.length} more`);
}

/** `bowline fleet backups`: all of them. */
export async function listBackups({ json }: Context, api: OperatorsApi): Promise<void> {
  const backups = await api.backups();
  if (json) return printJson({ backups });
  if (backups.length === 0) return print('No backup was made yet: bowline fleet backups make.');
  const rows = backups.map(({ at, bytes, folder }) => [dayAndTime(at), size(bytes), folder]);
  print(table(['made', 'size', 'folder on the server'], rows));
}

/** `bowline fleet backups make`: one more, whole and checked when this ends. */
export async function makeBackup({ json }: Context, api: OperatorsApi): Promise<void> {
  const backup = await api.backUp();
  if (json) return printJson(backup);
  print(`${size(backup.bytes)}, checked, on the server in ${backup.folder}`);
  print('It holds the keys of the server: guard it as those, and keep a copy on another machine.');
}
