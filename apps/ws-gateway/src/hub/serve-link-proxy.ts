import type { Hub } from '@bowline/ipc';
import type { HubApp } from '@bowline/messages/hub/apps';
import { changedKeys, type LiveConfig } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { readProxy } from '@bowline/runtime/proxy';
import type { GatewayConfig } from '../config.ts';

/** Who goes out to the net beside the link. */
const MAY_ASK: readonly HubApp[] = ['ota-updater', 'ssh-broker'];

/** One setting for the device: what goes out beside the link goes the same way (docs/adr/0040). */
export function serveLinkProxy(
  hub: Pick<Hub, 'handle' | 'notifyAll'>,
  live: LiveConfig<GatewayConfig>,
): void {
  hub.handle('linkProxy', (_, { app }) => {
    if (!MAY_ASK.includes(app))
      throw new RejectedError(
        'proxy-users-only',
        `${app} may not do this: only ${MAY_ASK.join(' and ')} may`,
      );
    const way = readProxy(live.current.link, 'link.');
    return {
      noProxy: live.current.link.noProxy,
      ...(way === undefined ? {} : { proxy: way.url.href }),
      ...(way?.ca === undefined ? {} : { ca: way.ca }),
    };
  });
  live.onChange((now, before) => {
    const [is, was] = [wayOf(now), wayOf(before)];
    if (changedKeys(was, is).length > 0) hub.notifyAll('linkProxy', {});
  });
}

const wayOf = ({ link: { proxy, proxyCaFile, noProxy } }: GatewayConfig) => ({ proxy, proxyCaFile, noProxy });
