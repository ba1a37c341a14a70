import type { AppRequests } from '@bowline/messages/hub';
import type { ConfigFault, LiveConfig } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import type { HubClient } from './client.ts';

/** What the gateway needs of an app's live configuration. */
export type ServedConfig = Pick<
  LiveConfig<unknown>,
  'judge' | 'changeBy' | 'apply' | 'hash' | 'setHash' | 'version' | 'entries' | 'problem'
>;

type Answer<N extends keyof AppRequests> = (
  request: AppRequests[N]['request'],
) => Promise<AppRequests[N]['response']>;

export interface ConfigAnswers {
  validate: Answer<'validateConfig'>;
  apply: Answer<'applyConfig'>;
  show: Answer<'showConfig'>;
}

/** As many faults as an answer holds, and as much of each: a key may be as long as the document. */
const MOST_FAULTS = 256;
const MOST_CHARS = 256;
const short = (faults: readonly ConfigFault[]): ConfigFault[] =>
  faults
    .slice(0, MOST_FAULTS)
    .map(({ key, message }) => ({ key: key.slice(0, MOST_CHARS), message: message.slice(0, MOST_CHARS) }));

/** @param restart ends this process in good order; called when a key asks for it, after the change is durable. */
export function configAnswers(live: ServedConfig, restart: (reason: string) => void): ConfigAnswers {
  return {
    async validate({ section }) {
      const faults = short(live.judge(section));
      if (faults.length > 0) return { faults, restart: [], link: [] };
      const { restart: restarts, link } = live.changeBy(section);
      return { faults, restart: restarts, link };
    },
    async apply({ version, section }) {
      try {
        const { keys, restart: restarts } = await live.apply({ version, section });
        if (restarts.length > 0) {
          // The answer goes first.
          setImmediate(() => restart(`the configuration changed: ${keys.join(', ')}`));
        }
        const { hash, setHash } = live;
        return { faults: [], hash, setHash, restarts: restarts.length > 0 };
      } catch (error) {
        if (!(error instanceof RejectedError)) throw error;
        const { faults = [{ key: '', message: error.message }] } = error.details as {
          faults?: ConfigFault[];
        };
        return { faults: short(faults), hash: live.hash, restarts: false };
      }
    },
    async show() {
      const { version, hash, problem } = live;
      return {
        ...(version === undefined ? {} : { version }),
        hash,
        ...(problem === undefined ? {} : { problem }),
        entries: live.entries(),
      };
    },
  };
}

/** Lets the cloud configure this app through the gateway (docs/configuration.md). */
export function serveConfig(
  client: Pick<HubClient, 'handle' | 'onRegistered' | 'notify'>,
  live: ServedConfig,
  restart: (reason: string) => void,
): void {
  const answers = configAnswers(live, restart);
  client.handle('validateConfig', answers.validate);
  const tell = () => {
    const { hash, setHash, problem } = live;
    client.notify('configState', { hash, setHash, ...(problem === undefined ? {} : { problem }) });
  };
  client.handle('applyConfig', async (request) => {
    const answer = await answers.apply(request);
    tell(); // an answer that comes too late is heard by nobody
    return answer;
  });
  client.handle('showConfig', answers.show);
  client.onRegistered(tell);
}
