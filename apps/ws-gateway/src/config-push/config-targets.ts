import type { ConfigAnswers, Hub } from '@bowline/ipc';
import type { AppRequests, ConfigView } from '@bowline/messages/hub';
import type { ConfiguredApp } from '@bowline/messages/hub/apps';

/** Whoever has a section: the apps of this device, and the gateway itself. */
export interface ConfigTargets {
  isHere(app: ConfiguredApp): boolean;
  /** @throws TransientError if the app is away or does not answer; RejectedError `unsupported` from one that knows no configuration. */
  validate(
    app: ConfiguredApp,
    section: Record<string, unknown>,
  ): Promise<AppRequests['validateConfig']['response']>;
  apply(
    app: ConfiguredApp,
    request: AppRequests['applyConfig']['request'],
  ): Promise<AppRequests['applyConfig']['response']>;
  show(app: ConfiguredApp): Promise<ConfigView>;
}

export function hubTargets(hub: Pick<Hub, 'request' | 'peers'>, self: ConfigAnswers): ConfigTargets {
  return {
    isHere: (app) => app === 'ws-gateway' || hub.peers().some((peer) => peer.app === app),
    validate: (app, section) =>
      app === 'ws-gateway' ? self.validate({ section }) : hub.request(app, 'validateConfig', { section }),
    apply: (app, request) =>
      app === 'ws-gateway' ? self.apply(request) : hub.request(app, 'applyConfig', request),
    show: (app) => (app === 'ws-gateway' ? self.show({}) : hub.request(app, 'showConfig', {})),
  };
}
