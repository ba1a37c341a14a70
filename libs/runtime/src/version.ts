/** Version of Bowline on this device: `hello`, the registration with the hub and `--version` report it. */
export const AGENT_VERSION = '0.1.0';
/** When that version was made, epoch milliseconds: no clock that shows less is right. */
export const RELEASED_AT = Date.UTC(2026, 10, 23);
