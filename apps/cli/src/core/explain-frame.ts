import { checkUplink, decodeUplinkFrame } from '@bowline/messages/uplink';
import { decodeDownlink } from '@bowline/messages/downlink';
import { ContractError } from '@bowline/runtime/errors';
import { explainDownlink } from './explain-downlink.ts';
import { explainUplink } from './explain-uplink.ts';

/** Frames up to the largest that the protocol allows to negotiate (section 3). */
const FRAME_BYTES = 2 ** 20;

export type Side = 'device' | 'server';

export interface ExplainedMessage {
  from: Side;
  type: string;
  id: string;
  lane?: string;
  seq?: number;
  sentAt: number;
  says: string;
  payload: unknown;
}

export interface NotUnderstood {
  code: string;
  why: string;
}

/**
 * One frame → its messages with what each says, or why it breaks the contract.
 *
 * @param from who sent it; without it, whichever side's schema fits (a few types go both ways).
 */
export function explainFrame(text: string, from?: Side): ExplainedMessage[] | NotUnderstood {
  const attempts = [...(from === 'server' ? [] : [fromDevice]), ...(from === 'device' ? [] : [fromServer])];
  const failures: ContractError[] = [];
  for (const attempt of attempts) {
    try {
      return attempt(text);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      failures.push(error);
    }
  }
  // A type that only one side sends fails on the other as `unsupported`: the other reason says more.
  const best = failures.find(({ code }) => code !== 'unsupported') ?? failures[0];
  return { code: best?.code ?? 'invalid', why: best?.message ?? 'not a frame' };
}

function fromDevice(text: string): ExplainedMessage[] {
  return decodeUplinkFrame(text, FRAME_BYTES).messages.map((envelope) => {
    const message = checkUplink(envelope);
    return { from: 'device', ...message, says: explainUplink(message) };
  });
}

function fromServer(text: string): ExplainedMessage[] {
  const message = decodeDownlink(text, FRAME_BYTES);
  return [{ from: 'server', ...message, says: explainDownlink(message) }];
}

/** The frames in a capture: one a line, whatever a tool has put before it (a time, an arrow), or one over many lines. */
export function framesIn(capture: string): string[] {
  const whole = capture.trim();
  const lines = whole.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > 1 && isJson(whole)) return [whole];
  return lines.map((line) => line.slice(Math.max(0, line.indexOf('{'))).trim());
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
