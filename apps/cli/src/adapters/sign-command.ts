import { signClaims } from '@bowline/identity';
import type { SignedCommand } from '@bowline/messages';
import { v7 as newId } from 'uuid';
import type { Context } from '../commands/context.ts';
import { askSigner } from './ask-signer.ts';
import { openKey } from './signing-keys.ts';

export interface WantedCommand {
  deviceId: string;
  name: string;
  params: Record<string, unknown> | undefined;
}

/** What is given to the server: it relays the signature and cannot make one. */
export interface SignedOrder {
  orderId: string;
  payload: { name: string; signed: string };
}

/** How a command is signed: by a key of the operator's own, by a signer process, or not at all. */
export function commandSigner(
  { env }: Pick<Context, 'env'>,
  { sign, signer, valid }: { sign?: string; signer?: string; valid: number },
): ((wanted: WantedCommand) => Promise<SignedOrder>) | undefined {
  if (sign === undefined && signer === undefined) return undefined;
  return async ({ deviceId, name, params }) => {
    const iat = Math.floor(Date.now() / 1000);
    const claims: SignedCommand = {
      orderId: newId(),
      aud: deviceId,
      name,
      ...(params === undefined ? {} : { params }),
      iat,
      exp: iat + Math.ceil(valid / 1000),
    };
    const signed =
      sign === undefined
        ? await askSigner(env, signer ?? '', 'command', claims)
        : await signClaims('command', await openKey(env, sign), claims);
    return { orderId: claims.orderId, payload: { name, signed } };
  };
}
