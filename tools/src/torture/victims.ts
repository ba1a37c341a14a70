/** The apps that a campaign runs and kills. */
export const VICTIMS = ['ws-gateway', 'command-executor', 'telemetry-collector', 'fleet-server'] as const;
export type Victim = (typeof VICTIMS)[number];

/** Those that most campaigns do without. */
export const FURTHER_APPS = ['ota-updater', 'ssh-broker'] as const;
export type FleetApp = Victim | (typeof FURTHER_APPS)[number];

/** The server and all five apps of a device. */
export const WHOLE_FLEET: readonly FleetApp[] = [...VICTIMS, ...FURTHER_APPS];

/** The apps that have decoders of their own: those of the campaign fuzz. */
export const DECODING_APPS = [...VICTIMS, 'ota-updater', 'signer', 'ssh-broker'] as const;

/** A whole device, and the operator's command line. */
export const SSH_APPS = [...VICTIMS, 'ota-updater', 'ssh-broker', 'cli'] as const;

/** What loses its power as a whole, and the apps that it takes with it. */
export const MACHINES = {
  device: ['ws-gateway', 'command-executor', 'telemetry-collector'],
  server: ['fleet-server'],
} as const satisfies Record<string, readonly Victim[]>;
export type Machine = keyof typeof MACHINES;
