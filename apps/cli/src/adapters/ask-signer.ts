import type { SignedClaims, SignedType } from '@bowline/messages';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';

const DEADLINE_MS = 10_000;

/** @throws CliError `signer-unreachable`, or the code of its refusal. */
export async function askSigner<T extends SignedType>(
  env: Context['env'],
  url: string,
  type: T,
  claims: SignedClaims<T>,
): Promise<string> {
  const token = env['BOWLINE_SIGNER_TOKEN'] ?? '';
  let response: Response;
  try {
    response = await fetch(`${url.replace(/\/$/, '')}/v1/signatures`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type, claims }),
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
    {
      exitCode: EXIT.serverRefused,
      advice:
        response.status === 401
          ? 'Put your token of the signer (not that of the server) into BOWLINE_SIGNER_TOKEN.'
          : '',
      details: { status: response.status },
    },
  );
}
