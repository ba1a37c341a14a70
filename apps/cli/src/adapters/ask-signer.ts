import type { SignedClaims, SignedType } from '@bowline/messages';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';

const DEADLINE_MS = 10_000;

/** By what the signer knows who asks: an operator's token, or the code of one approval. */
export interface SignerToken {
  token: string;
  isCode: boolean;
}

/**
 * @param by default: the token in `BOWLINE_SIGNER_TOKEN`.
 * @throws CliError `signer-unreachable`, or the code of its refusal.
 */
export async function askSigner<T extends SignedType>(
  env: Context['env'],
  url: string,
  type: T,
  claims: SignedClaims<T>,
  by: SignerToken = { token: env['BOWLINE_SIGNER_TOKEN'] ?? '', isCode: false },
): Promise<string> {
  const { jws } = await callSigner(url, '/v1/signatures', by, { type, claims });
  if (typeof jws === 'string') return jws;
  throw new CliError('invalid', `The signer at ${url} answered without a signature.`, {
    exitCode: EXIT.serverRefused,
    advice: 'Is it a signer of this version?',
  });
}

/** @throws CliError `signer-unreachable`, or the code of its refusal. */
export async function callSigner(
  url: string,
  path: string,
  { token, isCode }: SignerToken,
  body?: object,
): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch (error) {
    throw new CliError('signer-unreachable', `The signer at ${url} does not answer.`, {
      exitCode: EXIT.serverUnreachable,
      advice: 'Is it running, and does this machine reach it?',
      cause: error,
    });
  }
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.ok) return answer;
  const { code, detail } = answer;
  const { status } = response;
  throw new CliError(
    typeof code === 'string' ? code : `http-${status}`,
    `The signer refused (${status}): ${typeof detail === 'string' ? detail : 'no reason given'}`,
    { exitCode: EXIT.serverRefused, advice: adviceOn(status, isCode), details: { status } },
  );
}

function adviceOn(status: number, isCode: boolean): string {
  if (status === 401)
    return isCode
      ? 'Is it the code that the page of this signer showed, all of it?'
      : 'Put your token of the signer (not that of the server) into BOWLINE_SIGNER_TOKEN.';
  return status === 410 ? 'Have it approved again, for a new code.' : '';
}
