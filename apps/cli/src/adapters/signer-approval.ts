import { createInterface } from 'node:readline/promises';
import { check, type AccessApproval, type AccessWish } from '@bowline/messages';
import { accessApproval } from '@bowline/messages/signer';
import type { Context } from '../commands/context.ts';
import { CliError, EXIT } from '../core/cli-error.ts';
import { callSigner } from './ask-signer.ts';
import { remark } from './terminal.ts';

/** What a person has approved at the signer, and the code with which it can be signed, once. */
export interface TakenApproval {
  code: string;
  wish: AccessWish;
}

/**
 * Has a person approve a session on the signer's own page, and takes the code that it shows: from `BOWLINE_SIGNER_CODE`, else
 * typed at the terminal.
 *
 * @param wished what the page proposes.
 * @throws CliError `no-signer-token` where there is nobody to ask, or the signer's refusal.
 */
export async function takeApproval(
  { env, signal }: Pick<Context, 'env' | 'signal'>,
  url: string,
  wished: AccessWish,
): Promise<TakenApproval> {
  const page = approvalPage(url, wished);
  const code = env['BOWLINE_SIGNER_CODE'] || (await typedCode(page, signal));
  const answer = await callSigner(url, '/v1/approval', { token: code, isCode: true });
  const { wish } = check<AccessApproval>(accessApproval, answer, 'approval');
  if (wish.deviceId !== wished.deviceId)
    throw new CliError('not-approved', `This code is for ${wish.deviceId}, not for ${wished.deviceId}.`, {
      exitCode: EXIT.usage,
      advice: 'It is still good for the device that it names.',
    });
  return { code, wish };
}

function approvalPage(url: string, { deviceId, capabilities, record, ...wish }: AccessWish): string {
  const query = new URLSearchParams({ device: deviceId, capability: capabilities.join(',') });
  for (const [name, value] of Object.entries(wish)) query.set(name, String(value));
  if (record) query.set('record', 'yes');
  return `${url.replace(/\/$/, '')}/access?${query}`;
}

async function typedCode(page: string, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError('no-signer-token', 'The signer needs to know who you are.', {
      exitCode: EXIT.usage,
      advice: `Put your token into BOWLINE_SIGNER_TOKEN, or have it approved at ${page} and put the code into BOWLINE_SIGNER_CODE.`,
    });
  remark(`Approve it in a browser: ${page}`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question('Code that the page shows: ', { signal })).trim();
  } finally {
    terminal.close();
  }
}
