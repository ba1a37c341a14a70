import type { Rollout } from '@bowline/messages';
import type { OperatorsApi } from '../adapters/operators-api.ts';
import { withoutUndefined } from '../arguments.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import { rolloutAdvice, rolloutLine } from '../core/rollout-line.ts';
import type { Context } from './context.ts';
import { signUpdate, type Update } from './fleet-update.ts';

export interface NewRollout {
  group: string;
  /** Also the salt by which devices are chosen; default NAME-VERSION. */
  id?: string;
  percent: number;
  maxFailedPercent?: number;
  /** Devices are to join the group later. */
  allowEmptyGroup?: boolean;
  /** Devices have the release from elsewhere than from the server. */
  allowUnpublished?: boolean;
  update: Update;
}

/** With what the next stage is signed. */
export type Signing = Pick<Update, 'sign' | 'signer' | 'validMs'>;

const NOT_IN_ID = /[^A-Za-z0-9._-]/g;

/** `bowline fleet rollout start NAME VERSION`: to a first share of a group. */
export async function startRollout(context: Context, api: OperatorsApi, wanted: NewRollout): Promise<void> {
  const { group, percent, maxFailedPercent, allowEmptyGroup, allowUnpublished, update } = wanted;
  const { id = `${update.name}-${update.version}`.replaceAll(NOT_IN_ID, '-').slice(0, 64) } = wanted;
  const order = await signUpdate(context, `group:${group}`, { ...update, rollout: { percent, salt: id } });
  const more = withoutUndefined({ maxFailedPercent, allowEmptyGroup, allowUnpublished });
  tell(context, await api.beginRollout({ order, ...more }));
}

/** `bowline fleet rollout widen|go-on ID`: signed anew, for a larger share or the same. */
export async function continueRollout(
  context: Context,
  api: OperatorsApi,
  id: string,
  { percent, allowUnpublished, ...signing }: Signing & { percent?: number; allowUnpublished?: boolean },
): Promise<void> {
  const rollout = await api.rollout(id);
  const { group, channel, name, version, digest } = rollout;
  if (version === undefined)
    throw new CliError('no-version', `The rollout ${id} names its release by digest alone.`, {
      exitCode: EXIT.usage,
      advice: 'Begin another one, by name and version.',
    });
  const update = { name, version, channel, ...(digest === undefined ? {} : { digest }), ...signing };
  const stage = { percent: percent ?? rollout.percent, salt: id };
  const order = await signUpdate(context, `group:${group}`, { ...update, rollout: stage });
  tell(context, await api.stageRollout(id, { order, ...withoutUndefined({ allowUnpublished }) }));
}

/** `bowline fleet rollout pause|stop ID`. */
export async function haltRollout(
  context: Context,
  api: OperatorsApi,
  id: string,
  how: 'pause' | 'stop',
  reason: string | undefined,
): Promise<void> {
  tell(context, await api.haltRollout(id, how, reason));
}

/** `bowline fleet rollout list`. */
export async function listRollouts({ json }: Context, api: OperatorsApi): Promise<void> {
  const rollouts = await api.rollouts();
  if (json) return printJson({ rollouts });
  if (rollouts.length === 0) return print('No rollout was begun.');
  const rows = rollouts.map((each) => [
    each.rolloutId,
    each.group,
    shown(each),
    dayAndTime(each.createdAt),
    rolloutLine(each),
  ]);
  print(table(['rollout', 'group', '', 'begun', ''], rows));
}

/** `bowline fleet rollout show ID`: how far it is, and on which devices it failed. */
export async function showRollout(context: Context, api: OperatorsApi, id: string): Promise<void> {
  const report = await api.rollout(id);
  tell(context, report);
  if (context.json || report.onDevices.length === 0) return;
  const rows = report.onDevices.map(({ deviceId, code, message, orderId }) => [
    deviceId,
    code,
    message,
    orderId,
  ]);
  print(table(['failed on', '', '', 'order'], rows));
  print(paint('dim', 'What the program wrote last there: bowline fleet order ORDER'));
}

function tell({ json }: Context, rollout: Rollout): void {
  if (json) return printJson(rollout);
  const { rolloutId, group, name, version } = rollout;
  print(`${paint('bold', rolloutId)}: ${name} ${version ?? ''} to ${group}, ${shown(rollout)}`);
  print(`  ${rolloutLine(rollout)}`);
  const advice = rolloutAdvice(rollout, Date.now());
  if (advice !== undefined) print(paint('yellow', `  ${advice}`));
}

const COLOURS = { running: 'green', paused: 'yellow', stopped: 'dim' } as const;
const shown = ({ status }: Rollout): string => paint(COLOURS[status], status);
