import { describe, expect, it } from 'vitest';
import { transition, type ConnectionEvent, type ConnectionState } from './connection-state.ts';

const offline = { name: 'offline', since: 0, attempts: 2 } as ConnectionState;
const run = (events: ConnectionEvent[], from: ConnectionState = offline) =>
  events.reduce<ConnectionState>((state, event, index) => transition(state, event, index + 1), from);

describe('transition', () => {
  it('when a link comes up, it passes every state on its way and keeps its count until it is stable', () => {
    const names: string[] = [];
    const events: ConnectionEvent[] = [
      { type: 'attempt' },
      { type: 'upgrading' },
      { type: 'upgraded' },
      { type: 'welcomed', sessionId: 's' },
    ];
    const online = events.reduce<ConnectionState>((state, event) => {
      const next = transition(state, event, 5);
      names.push(next.name);
      return next;
    }, offline);
    expect(names).toEqual(['connecting', 'authenticating', 'resuming', 'online']);
    expect(online).toMatchObject({ attempts: 2, sessionId: 's' });
    expect(transition(online, { type: 'stable' }, 9)).toMatchObject({
      name: 'online',
      attempts: 0,
      since: 5,
    });
  });

  it('when the link is lost, it says why and when it tries again, and a later attempt still shows why', () => {
    const error = { at: 1, stage: 'tcp' as const, code: 'econnrefused', message: 'refused' };
    const lost = run([{ type: 'attempt' }, { type: 'lost', attempts: 3, error, retryAtMonotonicMs: 50 }]);
    expect(lost).toEqual({
      name: 'offline',
      since: 2,
      attempts: 3,
      lastError: error,
      retryAtMonotonicMs: 50,
    });
    expect(transition(lost, { type: 'attempt' }, 9)).toMatchObject({ name: 'connecting', lastError: error });
  });

  it('when an event of an older socket comes late, the state does not change', () => {
    expect(transition(offline, { type: 'welcomed', sessionId: 's' }, 1)).toBe(offline);
    expect(transition(offline, { type: 'stable' }, 1)).toBe(offline);
  });
});
