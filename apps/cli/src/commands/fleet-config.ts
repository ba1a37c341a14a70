import { readFileSync } from 'node:fs';
import type { DeviceConfig } from '@bowline/messages';
import { findDevice, type OperatorsApi } from '../adapters/operators-api.ts';
import { paint, print, printJson, table } from '../adapters/terminal.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { dayAndTime } from '../core/format.ts';
import type { Context } from './context.ts';
import { followToEnd } from './follow-order.ts';
import { warnIfWaiting } from './warn-if-waiting.ts';

export interface PushOptions {
  version: number | undefined;
  confirmWithinMs: number | undefined;
  timeoutMs: number;
}

/** `bowline fleet config push DEVICE FILE`: all apps of the device take it, or none does. Returns the exit code. */
export async function pushConfig(
  { json, signal }: Context,
  api: OperatorsApi,
  deviceId: string,
  file: string,
  { version, confirmWithinMs, timeoutMs }: PushOptions,
): Promise<number> {
  const sections = readSections(file);
  const device = await findDevice(api, deviceId);
  const order = await api.pushConfig(deviceId, {
    sections,
    ...(version === undefined ? {} : { version }),
    ...(confirmWithinMs === undefined ? {} : { confirmWithinMs }),
  });
  if (!json) {
    print(
      `configuration ${paint('bold', String(order.payload['version']))} to ${deviceId}, order ${order.orderId}`,
    );
    warnIfWaiting(device);
  }
  return followToEnd({ json, signal }, api, order, timeoutMs);
}

/** `bowline fleet config show DEVICE`: what is wanted, what the device said, and whether they differ. */
export async function showFleetConfig({ json }: Context, api: OperatorsApi, deviceId: string): Promise<void> {
  await findDevice(api, deviceId);
  const config = await api.config(deviceId);
  if (json) return printJson(config);
  const { wanted, version, hash, report, sections } = config;
  print(
    table(
      ['', 'version', ''],
      [
        [
          'wanted',
          wanted === undefined ? 'none' : String(wanted.version),
          wanted === undefined ? '' : dayAndTime(wanted.at),
        ],
        [
          'in force',
          version === undefined ? 'none' : String(version),
          hash === undefined ? '' : hash.slice(0, 12),
        ],
        ...(report === undefined
          ? []
          : [['last report', String(report.version), `${report.status}, ${dayAndTime(report.at)}`]]),
      ],
    ),
  );
  for (const { app, key, message } of report?.errors ?? []) print(paint('red', `${app}: ${key} ${message}`));
  print(driftOf(config));
  if (sections !== undefined) printJson(sections);
}

function driftOf({ drift }: DeviceConfig): string {
  if (drift === 'version') return paint('yellow', 'Drift: another document is in force than the one wanted.');
  if (drift === 'local')
    return paint('yellow', 'Drift: something on the device changed since it reported this document.');
  if (drift === 'software')
    return 'Drift: nothing was set on the device, but its software has other defaults since an update.';
  return 'No drift.';
}

function readSections(file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError('file-unreadable', `${file} cannot be used: ${why}.`, {
      exitCode: EXIT.usage,
      advice: '',
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new CliError('file-unreadable', `${file} must hold an object with a section for each app.`, {
    exitCode: EXIT.usage,
    advice: 'E.g. { "telemetry-collector": { "series": { "cpu": { "intervalMs": 1000 } } } }',
  });
}
