/** Version of Bowline on this device: `hello`, the registration with the hub and `--version` report it. */
export const AGENT_VERSION = '0.1.0';
