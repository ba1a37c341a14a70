import type { LinkStateName } from '@bowline/messages/hub';

/** Where an attempt stood when it failed, for people who must find out why a device is dark. */
export type LinkStage = 'enrol' | 'proxy' | 'dns' | 'tcp' | 'tls' | 'upgrade' | 'auth' | 'welcome' | 'online';

export interface LinkFailure {
  /** Wall clock, epoch milliseconds. */
  at: number;
  stage: LinkStage;
  code: string;
  message: string;
}

interface Common {
  /** Wall clock at which this state was entered, epoch milliseconds. */
  since: number;
  /** Failed attempts since the last stable link. */
  attempts: number;
  lastError?: LinkFailure;
}

export type ConnectionState =
  | (Common & { name: 'offline'; retryAtMonotonicMs?: number })
  | (Common & { name: 'connecting' })
  | (Common & { name: 'authenticating' })
  | (Common & { name: 'resuming' })
  | (Common & { name: 'online'; sessionId: string })
  | (Common & { name: 'draining' });

export type ConnectionEvent =
  | { type: 'attempt' }
  | { type: 'upgrading' }
  | { type: 'upgraded' }
  | { type: 'welcomed'; sessionId: string }
  | { type: 'stable' }
  | { type: 'draining' }
  | { type: 'lost'; attempts: number; error?: LinkFailure; retryAtMonotonicMs?: number };

/** What each state may become; anything else is a bug of ours and is ignored. */
const NEXT: Record<LinkStateName, readonly ConnectionEvent['type'][]> = {
  offline: ['attempt', 'lost'],
  connecting: ['upgrading', 'upgraded', 'lost', 'draining'],
  authenticating: ['upgraded', 'lost', 'draining'],
  resuming: ['welcomed', 'lost', 'draining'],
  online: ['stable', 'lost', 'draining'],
  draining: ['lost'],
};

/** The one transition function of the link: offline → connecting → authenticating → resuming → online → draining. */
export function transition(state: ConnectionState, event: ConnectionEvent, wallMs: number): ConnectionState {
  if (!NEXT[state.name].includes(event.type)) return state;
  const common = {
    since: wallMs,
    attempts: state.attempts,
    ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
  };
  switch (event.type) {
    case 'attempt':
      return { name: 'connecting', ...common };
    case 'upgrading':
      return { name: 'authenticating', ...common };
    case 'upgraded':
      return { name: 'resuming', ...common };
    case 'welcomed':
      return { name: 'online', ...common, sessionId: event.sessionId };
    case 'stable':
      return { ...state, attempts: 0 };
    case 'draining':
      return { name: 'draining', ...common };
    case 'lost':
      return {
        name: 'offline',
        ...common,
        attempts: event.attempts,
        ...(event.error === undefined ? {} : { lastError: event.error }),
        ...(event.retryAtMonotonicMs === undefined ? {} : { retryAtMonotonicMs: event.retryAtMonotonicMs }),
      };
  }
}
