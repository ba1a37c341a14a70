import { SSH_CAPABILITIES, type SshCapability } from '@bowline/messages/names';

export type Capability = SshCapability;

export const isCapability = (name: string): name is Capability =>
  (SSH_CAPABILITIES as readonly string[]).includes(name);
