import type { Hub } from '@bowline/ipc';
import type { IdentityView } from '@bowline/messages/hub';
import { RejectedError } from '@bowline/runtime/errors';
import type { DeviceIdentity } from '../identity/device-identity.ts';
import type { Enrolment } from '../identity/enrolment-schema.ts';
import { mustBeCli } from './cli-only.ts';

export interface IdentityPorts {
  hub: Pick<Hub, 'handle'>;
  identity: Pick<DeviceIdentity, 'key' | 'enrolment' | 'enrolBy'>;
  /** A release of Bowline that is tried must keep its link and its processes. @throws RejectedError `update-busy` */
  mayChange(): void;
  /** Origin to enrol at if the person names none. */
  defaultServer: string | undefined;
  /** The device is another than before: a link is to be made anew. */
  onEnrolled(): void;
  /** What would be lost by forgetting. */
  losses(): { paths: string[]; messages: number; orders: number };
  /** Marks the device to forget, and starts the gateway anew. */
  forget(): void;
}

/** What a person at the device may do with who it is: `bowline identity`, `enroll`, `reset`. By the CLI's socket only. */
export function serveIdentity({
  hub,
  identity,
  mayChange,
  defaultServer,
  onEnrolled,
  losses,
  forget,
}: IdentityPorts): void {
  const view = async (): Promise<IdentityView> => {
    const { publicJwk, thumbprint } = await identity.key();
    const { enrolment } = identity;
    return {
      publicKey: publicJwk,
      thumbprint,
      ...(enrolment === undefined ? {} : { enrolment: told(enrolment) }),
    };
  };

  hub.handle('identity', (_, peer) => {
    mustBeCli(peer);
    return view();
  });

  hub.handle('enrol', async ({ server = defaultServer, token, trustOnFirstUse, newKey }, peer) => {
    mustBeCli(peer);
    mayChange();
    if (server === undefined) throw new RejectedError('no-server', 'which server? say --server URL');
    await identity.enrolBy({ server, token, trustOnFirstUse }, { newKey });
    onEnrolled();
    return view();
  });

  hub.handle('losses', (_, peer) => {
    mustBeCli(peer);
    return losses();
  });

  hub.handle('forget', (_, peer) => {
    mustBeCli(peer);
    mayChange();
    forget();
    return {};
  });
}

function told({ deviceId, name, groups, serverId, link, made }: Enrolment) {
  const { at, server, rootThumbprint, trustedBy } = made ?? {};
  return {
    deviceId,
    name,
    groups,
    serverId,
    link,
    ...(at === undefined ? {} : { at }),
    ...(server === undefined ? {} : { server }),
    ...(rootThumbprint === undefined ? {} : { rootThumbprint }),
    ...(trustedBy === undefined ? {} : { trustedBy }),
  };
}
