import type { AppRequests } from '@bowline/messages/hub';
import { hashOf, type ConfigFault, type LiveConfig } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import type { HubClient } from './client.ts';

/** What the gateway needs of an app's live configuration. */
export type ServedConfig = Pick<
  LiveConfig<unknown>,
  | 'judge'
  | 'changeBy'
  | 'apply'
  | 'hash'
  | 'setHash'
  | 'version'
  | 'entries'
  | 'problem'
  | 'refused'
  | 'readOverride'
  | 'judgeOverride'
  | 'changeByOverride'
  | 'takeOverride'
>;

type Answer<N extends keyof AppRequests> = (
  request: AppRequests[N]['request'],
) => Promise<AppRequests[N]['response']>;

export interface ConfigAnswers {
  validate: Answer<'validateConfig'>;
  apply: Answer<'applyConfig'>;
  show: Answer<'showConfig'>;
  checkOverride: Answer<'checkOverride'>;
  takeOverride: Answer<'takeOverride'>;
}

/** As many faults as an answer holds, and as much of each: a key may be as long as the document. */
const MOST_FAULTS = 256;
const MOST_CHARS = 256;
const short = (faults: readonly ConfigFault[]): ConfigFault[] =>
  faults
    .slice(0, MOST_FAULTS)
    .map(({ key, message }) => ({ key: key.slice(0, MOST_CHARS), message: message.slice(0, MOST_CHARS) }));

/** What an app has against it; any other error is thrown on. */
function faultsIn(error: unknown): ConfigFault[] {
  if (!(error instanceof RejectedError)) throw error;
  const { faults = [{ key: '', message: error.message }] } = error.details as { faults?: ConfigFault[] };
  return short(faults);
}

const NO_CHANGE = { keys: [], restart: [], link: [] };

/** What stands in the app's own file. @throws RejectedError `override-elsewhere`; ConfigError `config-unreadable`. */
export function writtenOverride(
  live: Pick<ServedConfig, 'readOverride'>,
  hash: string,
): Record<string, unknown> {
  const override = live.readOverride();
  if (hashOf(override) === hash) return override;
  const message =
    'what was written is not what this app reads: its configuration lies elsewhere, or somebody else writes it';
  throw new RejectedError('override-elsewhere', message);
}

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
        return { faults: faultsIn(error), hash: live.hash, restarts: false };
      }
    },
    async show() {
      const { version, hash, problem, refused } = live;
      return {
        ...(version === undefined ? {} : { version }),
        hash,
        ...(problem === undefined ? {} : { problem }),
        ...(refused === undefined ? {} : { refused }),
        entries: live.entries(),
      };
    },
    async checkOverride({ override }) {
      const faults = short(live.judgeOverride(override));
      return { faults, ...(faults.length > 0 ? NO_CHANGE : live.changeByOverride(override)) };
    },
    async takeOverride({ hash }) {
      const override = writtenOverride(live, hash);
      try {
        const { keys, restart: restarts } = await live.takeOverride(override);
        if (restarts.length > 0)
          setImmediate(() => restart(`the local override changed: ${keys.join(', ')}`));
        return { faults: [], keys, restarts: restarts.length > 0 };
      } catch (error) {
        return { faults: faultsIn(error), keys: [], restarts: false };
      }
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
  client.handle('checkOverride', answers.checkOverride);
  client.handle('takeOverride', async (request) => {
    const answer = await answers.takeOverride(request);
    tell();
    return answer;
  });
  client.onRegistered(tell);
}
