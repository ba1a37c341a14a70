/** The processes of a device, by the names that they have in pm2, in the folders and in the protocol's heartbeat. */
export const DEVICE_APPS = [
  'ws-gateway',
  'command-executor',
  'telemetry-collector',
  'ota-updater',
  'ssh-broker',
] as const;
export type DeviceApp = (typeof DEVICE_APPS)[number];
