/**
 * What a grant may ask for, and a device's policy allow. `pty` is a shell or command on a terminal, `exec` one without (rsync
 * needs it), `sftp` files (sftp, scp); each forward must be granted by itself.
 */
export const CAPABILITIES = [
  'pty',
  'exec',
  'sftp',
  'local-forward',
  'remote-forward',
  'agent-forward',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

export const isCapability = (name: string): name is Capability =>
  (CAPABILITIES as readonly string[]).includes(name);
