import type { Alarm, Device, DeviceConfig, HeartbeatUp, Hello, UplinkPayload } from '@bowline/messages';
import type { Clock } from '@bowline/runtime/clock';
import type { Logger } from '@bowline/runtime';
import type { NewsDesk } from '../news.ts';
import { keys } from '../store/keys.ts';
import { put, read, type ServerStore } from '../store/server-store.ts';
import { nextVersion, reported, running, wanted, withDrift, type ConfigRecord } from './device-config.ts';
import type { DeviceDirectory, DeviceRecord } from './device-directory.ts';

/** What was last known of a device; kept so that an operator sees it after a restart too. */
export interface StatusRecord {
  online?: boolean;
  since?: number;
  lastSeenAt?: number;
  agentVersion?: string;
  queue?: HeartbeatUp['queue'];
  ledger?: HeartbeatUp['ledger'];
  apps?: HeartbeatUp['apps'];
  roundTripMs?: number;
  config?: ConfigRecord;
  alarms: Alarm[];
}

/** Newest kept, and of one kind no more than these: what is told again and again hides nothing else. */
const MAX_ALARMS = 20;
const MAX_OF_A_KIND = 5;
/** The same kind again within this time is one alarm. */
const REPEAT_MS = 60_000;

/** Presence, heartbeats and alarms of all devices: each change is written, and told to those who watch. */
export class DeviceStatusBook {
  readonly #store: ServerStore;
  readonly #devices: DeviceDirectory;
  readonly #clock: Clock;
  readonly #news: NewsDesk;
  readonly #log: Logger;
  readonly #online = new Set<string>();
  /** Told when a device has a link that is about to be open. */
  onOnline: (deviceId: string) => void = () => {};

  constructor(
    store: ServerStore,
    ports: { devices: DeviceDirectory; clock: Clock; news: NewsDesk; log: Logger },
  ) {
    this.#store = store;
    this.#devices = ports.devices;
    this.#clock = ports.clock;
    this.#news = ports.news;
    this.#log = ports.log;
  }

  list(): Device[] {
    return this.#devices.list().map((device) => this.#view(device));
  }

  get(deviceId: string): Device | undefined {
    const device = this.#devices.get(deviceId);
    return device && this.#view(device);
  }

  isOnline(deviceId: string): boolean {
    return this.#online.has(deviceId);
  }

  /** What the directory says of the device is another than before: tells those who watch. */
  changed(deviceId: string): void {
    this.#change(deviceId, {});
  }

  wentOnline(deviceId: string, hello: Hello): void {
    const { agentVersion, queue } = hello;
    const now = this.#clock.wallMs();
    this.#online.add(deviceId);
    this.#change(deviceId, {
      online: true,
      since: now,
      lastSeenAt: now,
      agentVersion,
      queue,
      ...this.#running(deviceId, hello),
    });
    this.onOnline(deviceId);
  }

  wentOffline(deviceId: string): void {
    if (!this.#online.delete(deviceId)) return;
    const now = this.#clock.wallMs();
    this.#change(deviceId, { online: false, since: now, lastSeenAt: now });
  }

  heartbeat(deviceId: string, heartbeat: HeartbeatUp): void {
    const { queue, ledger, apps, roundTripMs } = heartbeat;
    const lastSeenAt = this.#clock.wallMs();
    this.#change(deviceId, {
      lastSeenAt,
      queue,
      ledger,
      apps,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
      ...this.#running(deviceId, heartbeat),
    });
  }

  /** The newest document that was pushed to it. */
  configWanted(deviceId: string, want: NonNullable<DeviceConfig['wanted']>): void {
    this.#change(deviceId, { config: wanted(this.#record(deviceId).config, want) });
  }

  configReported(deviceId: string, report: UplinkPayload<'configReport'>): void {
    const { config } = this.#record(deviceId);
    this.#change(deviceId, { config: reported(config, report, this.#clock.wallMs()) });
  }

  /** A version for the next document, above all that this device has had. */
  nextConfigVersion(deviceId: string): number {
    return nextVersion(this.#record(deviceId).config);
  }

  #running(deviceId: string, said: Parameters<typeof running>[1]): Partial<StatusRecord> {
    const config = running(this.#record(deviceId).config, said);
    return config === undefined ? {} : { config };
  }

  /** Something is wrong with this device that an operator should know. */
  alarm(deviceId: string, kind: string, message: string, data: Record<string, unknown> = {}): void {
    const at = this.#clock.wallMs();
    const held = this.#record(deviceId).alarms;
    const others = held.filter((alarm) => alarm.kind !== kind || at - alarm.at > REPEAT_MS);
    if (others.length === held.length) this.#log.warn({ deviceId, alarm: kind, ...data }, message);
    this.#change(deviceId, withAlarm({ alarms: others }, { kind, at, message, data }));
  }

  #record(deviceId: string): StatusRecord {
    return read<StatusRecord>(this.#store, keys.status(deviceId)) ?? { alarms: [] };
  }

  #change(deviceId: string, change: Partial<StatusRecord>): void {
    const status = { ...this.#record(deviceId), ...change };
    const device = this.#devices.get(deviceId);
    if (device !== undefined) this.#news.publish('device', deviceId, () => this.#view(device, status));
    void this.#store.write([put(keys.status(deviceId), status)]);
  }

  #view(device: DeviceRecord, status = this.#record(device.deviceId)): Device {
    const { deviceId, name, groups, enrolledAt, revokedAt } = device;
    const online = this.isOnline(deviceId);
    // The server itself was away: the device was last seen when it was last seen.
    const since = status.online === true && !online ? status.lastSeenAt : status.since;
    return {
      deviceId,
      name,
      groups,
      enrolledAt,
      ...(revokedAt === undefined ? {} : { revokedAt }),
      ...status,
      ...(status.config === undefined ? {} : { config: withDrift(status.config) }),
      online,
      ...(since === undefined ? {} : { since }),
    };
  }
}

export function withAlarm<T extends Pick<StatusRecord, 'alarms'>>(status: T, alarm: Alarm): T {
  const alike = status.alarms.filter(({ kind }) => kind === alarm.kind);
  const tooMany = new Set(alike.slice(0, Math.max(0, alike.length + 1 - MAX_OF_A_KIND)));
  const kept = status.alarms.filter((one) => !tooMany.has(one));
  return { ...status, alarms: [...kept, alarm].slice(-MAX_ALARMS) };
}
