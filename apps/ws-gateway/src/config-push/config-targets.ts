import type { ConfigAnswers, Hub } from '@bowline/ipc';
import type { AppRequests, ConfigView } from '@bowline/messages/hub';
import type { ConfiguredApp, HubApp } from '@bowline/messages/hub/apps';

/** Whoever has a section: the apps of this device, and the gateway itself. */
export interface ConfigTargets {
  isHere(app: ConfiguredApp): boolean;
  /** @throws TransientError if the app is away or does not answer; RejectedError `unsupported` from one that knows no configuration. */
  validate(
    app: ConfiguredApp,
    section: Record<string, unknown>,
    withinMs?: number,
  ): Promise<AppRequests['validateConfig']['response']>;
  apply(
    app: ConfiguredApp,
    request: AppRequests['applyConfig']['request'],
    withinMs?: number,
  ): Promise<AppRequests['applyConfig']['response']>;
  show(app: ConfiguredApp): Promise<ConfigView>;
  checkOverride(
    app: ConfiguredApp,
    override: Record<string, unknown>,
  ): Promise<AppRequests['checkOverride']['response']>;
  /** Of an app; the gateway's own goes through a trial (config-push.ts). */
  takeOverride(app: HubApp, hash: string): Promise<AppRequests['takeOverride']['response']>;
}

export function hubTargets(hub: Pick<Hub, 'request' | 'peers'>, self: ConfigAnswers): ConfigTargets {
  return {
    isHere: (app) => app === 'ws-gateway' || hub.peers().some((peer) => peer.app === app),
    validate: (app, section, withinMs) =>
      app === 'ws-gateway'
        ? self.validate({ section })
        : hub.request(app, 'validateConfig', { section }, deadline(withinMs)),
    apply: (app, request, withinMs) =>
      app === 'ws-gateway'
        ? self.apply(request)
        : hub.request(app, 'applyConfig', request, deadline(withinMs)),
    show: (app) => (app === 'ws-gateway' ? self.show({}) : hub.request(app, 'showConfig', {})),
    checkOverride: (app, override) =>
      app === 'ws-gateway'
        ? self.checkOverride({ override })
        : hub.request(app, 'checkOverride', { override }),
    takeOverride: (app, hash) => hub.request(app, 'takeOverride', { hash }),
  };
}

/** An app that hangs is asked again, as long as there is time. */
const LONGEST_ANSWER_MS = 10_000;
const deadline = (withinMs = LONGEST_ANSWER_MS) => ({
  deadlineMs: Math.max(1, Math.ceil(Math.min(LONGEST_ANSWER_MS, withinMs))),
});
