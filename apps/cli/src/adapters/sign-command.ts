import { signClaims } from '@bowline/identity';
import type { SignedCommand } from '@bowline/messages';
import { v7 as newId } from 'uuid';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
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

const DEADLINE_MS = 10_000;

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
        ? await askSigner(env, signer ?? '', claims)
        : await signClaims('command', await openKey(env, sign), claims);
    return { orderId: claims.orderId, payload: { name, signed } };
  };
}

/** @throws CliError `signer-unreachable`, or the code of its refusal. */
async function askSigner(env: Context['env'], url: string, claims: SignedCommand): Promise<string> {
  const token = env['BOWLINE_SIGNER_TOKEN'] ?? '';
  let response: Response;
  try {
    response = await fetch(`${url.replace(/\/$/, '')}/v1/signatures`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'command', claims }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new CliError('signer-unreachable', `The signer at ${url} does not answer.`, {
      exitCode: EXIT.serverUnreachable,
      advice: 'Is it running, and does this machine reach it?',
      cause: error,
    });
  }
  const { jws, code, detail } = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.ok && typeof jws === 'string') return jws;
  throw new CliError(
    typeof code === 'string' ? code : `http-${response.status}`,
    `The signer refused (${response.status}): ${typeof detail === 'string' ? detail : 'no reason given'}`,
    { exitCode: EXIT.serverRefused, advice: '', details: { status: response.status } },
  );
}
