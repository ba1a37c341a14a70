import type { Static, TSchema } from 'typebox';
import { Ack } from './wire/ack.ts';
import { Cancel } from './wire/cancel.ts';
import { Command } from './wire/command.ts';
import { ConfigReport } from './wire/config-report.ts';
import { Config } from './wire/config.ts';
import { Event } from './wire/event.ts';
import { Gap } from './wire/gap.ts';
import { HeartbeatDown, HeartbeatUp } from './wire/heartbeat.ts';
import { Hello } from './wire/hello.ts';
import { HistoryRequest } from './wire/history-request.ts';
import { History } from './wire/history.ts';
import { Receipt } from './wire/receipt.ts';
import { Reject } from './wire/reject.ts';
import { SoftwareUpdate } from './wire/software-update.ts';
import { SshAccess } from './wire/ssh-access.ts';
import { Telemetry } from './wire/telemetry.ts';
import { Trust } from './wire/trust.ts';
import { Welcome } from './wire/welcome.ts';

/** Payload schema of every type that a device sends (protocol, section 5). */
export const UPLINK = {
  hello: Hello,
  heartbeat: HeartbeatUp,
  receipt: Receipt,
  reject: Reject,
  ack: Ack,
  telemetry: Telemetry,
  history: History,
  event: Event,
  configReport: ConfigReport,
  gap: Gap,
} as const satisfies Record<string, TSchema>;

/** Payload schema of every type that a server sends. */
export const DOWNLINK = {
  welcome: Welcome,
  heartbeat: HeartbeatDown,
  receipt: Receipt,
  reject: Reject,
  command: Command,
  config: Config,
  historyRequest: HistoryRequest,
  softwareUpdate: SoftwareUpdate,
  sshAccess: SshAccess,
  trust: Trust,
  cancel: Cancel,
} as const satisfies Record<string, TSchema>;

export type UplinkType = keyof typeof UPLINK;
export type DownlinkType = keyof typeof DOWNLINK;
export type UplinkPayload<T extends UplinkType> = Static<(typeof UPLINK)[T]>;
export type DownlinkPayload<T extends DownlinkType> = Static<(typeof DOWNLINK)[T]>;
