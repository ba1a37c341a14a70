import type { Event } from '@bowline/messages';
import { BowlineError, type Clock, type Logger } from '@bowline/runtime';
import { v7 as newId } from 'uuid';

/** What reporting needs of the app around it; `hub` is its connection to the gateway (libs/ipc). */
export interface EventPorts {
  hub: {
    enqueue(
      messages: readonly { id: string; type: 'event'; sentAt: number; payload: Event }[],
    ): Promise<void>;
  };
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Tells the operators what was found: in the log now, on lane `events` as soon as the gateway takes it. */
export function reportEvent(
  { hub, clock, log }: EventPorts,
  kind: string,
  severity: 'error' | 'critical',
  data: Record<string, unknown>,
): void {
  log.error({ kind, ...data }, 'reported to the operators');
  const at = Math.round(clock.wallMs());
  hub
    .enqueue([{ id: newId(), type: 'event', sentAt: at, payload: { kind, severity, at, data } }])
    .catch((error: unknown) => {
      if (!(error instanceof BowlineError)) throw error;
      log.warn({ code: error.code, kind }, 'the event was not taken');
    });
}
