import type { Timer } from '@bowline/runtime';
import { TransientError } from '@bowline/runtime/errors';
import type { CollectorConfig } from '../config.ts';
import { openHistory, type LocalHistory, type LocalHistoryOptions } from './open-history.ts';

/**
 * The history, or none for as long as the disk has no room to make its file: delivery goes on without it, requests are offered
 * again later, and it is tried anew every `history.retryMs`.
 *
 * @throws ConfigError `history-newer`, `schedule-invalid`
 */
export function startHistory(options: LocalHistoryOptions): LocalHistory {
  const { client, clock, log } = options;
  let { config } = options;
  let link = 'offline';
  let opened: LocalHistory | undefined;
  let retry: Timer | undefined;
  let refusal = '';

  const refuse = () => {
    throw new TransientError('history-refused', `there is no history: ${refusal}`);
  };
  const open = () => {
    try {
      opened = openHistory({ ...options, config });
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (refusal === '')
        log.error({ code: error.code }, `no history yet: ${error.message}; delivery goes on`);
      refusal = error.message;
      for (const request of ['localHistory', 'runJob', 'order', 'cancelOrder'] as const)
        client.handle(request, refuse);
      retry = clock.after(config.history.retryMs, openLater);
      return;
    }
    opened.linkIs(link);
    if (refusal !== '') log.info({}, 'there is a history now');
  };
  const openLater = () => {
    try {
      open();
    } catch (error) {
      // Of another kind by now (a history of a newer version was put there): for whoever starts the app anew to say.
      log.error({ error }, 'the history cannot be opened; delivery goes on');
    }
  };
  open();

  return {
    sink: {
      add: (samples, isHandedOver) => opened?.sink.add(samples, isHandedOver),
      synchronised: (boot) => opened?.sink.synchronised?.(boot) ?? false,
    },
    linkIs: (state) => {
      link = state;
      opened?.linkIs(state);
    },
    reconfigure: (next: CollectorConfig) => {
      config = next;
      opened?.reconfigure(next);
    },
    stop: async () => {
      retry?.cancel();
      await opened?.stop();
    },
  };
}
