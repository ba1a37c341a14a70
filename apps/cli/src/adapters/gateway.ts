import { setTimeout as sleep } from 'node:timers/promises';
import { connectHub, type HubClient } from '@bowline/ipc';
import type { HubRequests } from '@bowline/messages/hub';
import type { Installation } from '@bowline/pm2';
import { BowlineError, systemClock, type Logger } from '@bowline/runtime';
import { CliError, EXIT } from '../core/cli-error.ts';

/** What apps say of themselves is not the CLI's to say. */
type Question = Exclude<keyof HubRequests, 'register' | 'enqueue'>;

export type GatewayAddress = Pick<Installation, 'hubFolder' | 'hubOwner'> & { version: string };

const ANSWER_WITHIN_MS = 3000;
const POLL_MS = 10;

/** What the client of the hub has to say is said by us, in one sentence. */
const QUIET = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => QUIET,
} as unknown as Logger;

/**
 * Asks the gateway, over the CLI's own socket of the hub.
 *
 * @throws CliError `gateway-away`, or the code of its refusal.
 */
export async function askGateway<N extends Question>(
  { hubFolder, hubOwner, version }: GatewayAddress,
  name: N,
  body: HubRequests[N]['request'],
  { answerWithinMs = ANSWER_WITHIN_MS }: { answerWithinMs?: number } = {},
): Promise<HubRequests[N]['response']> {
  let hub: HubClient | undefined;
  try {
    hub = connectHub({
      folder: hubFolder,
      owner: hubOwner,
      app: 'cli',
      version,
      orderTypes: [],
      log: QUIET,
      clock: systemClock,
      backoff: { baseMs: 50, capMs: 200 },
    });
    return await askUntilAnswered(hub, name, body, answerWithinMs);
  } catch (error) {
    if (error instanceof BowlineError && !NO_ANSWER.has(error.code)) {
      throw new CliError(error.code, sentence(error.message), {
        exitCode: EXIT.usage,
        advice: '',
        cause: error,
      });
    }
    throw new CliError('gateway-away', `The gateway does not answer (${reason(error)}).`, {
      exitCode: EXIT.deviceAway,
      advice: 'See why: bowline logs ws-gateway. Start it anew: bowline restart ws-gateway.',
      cause: error,
    });
  } finally {
    hub?.close();
  }
}

/** Not said by the gateway: it did not answer, or not yet. */
const NO_ANSWER: ReadonlySet<string> = new Set([
  'hub-away',
  'hub-starting',
  'deadline',
  'hub-folder-unsafe',
  'socket-path-too-long',
]);

/** The gateway may be starting this very moment; what it has once taken in is not asked twice. */
async function askUntilAnswered<N extends Question>(
  hub: HubClient,
  name: N,
  body: HubRequests[N]['request'],
  answerWithinMs: number,
): Promise<HubRequests[N]['response']> {
  const deadline = performance.now() + Math.min(ANSWER_WITHIN_MS, answerWithinMs);
  for (;;) {
    const wasThere = hub.connected;
    try {
      return await hub.request(name, body, { deadlineMs: answerWithinMs });
    } catch (error) {
      const code = error instanceof BowlineError ? error.code : '';
      const mayYetAnswer = code === 'hub-starting' || (code === 'hub-away' && !wasThere);
      if (!mayYetAnswer || performance.now() >= deadline) throw error;
    }
    await sleep(POLL_MS);
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const sentence = (message: string): string => `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
