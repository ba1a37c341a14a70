import { expect, test } from 'vitest';
import { restartVerdict, type AppSight } from './restarted.ts';

const BEFORE = { restarts: 3 };
const verdict = (change: Partial<AppSight>, answeredAt: number) =>
  restartVerdict(
    BEFORE,
    { status: 'online', alive: true, restarts: 4, startedAt: 10_000, listenTimeoutMs: 2000, ...change },
    answeredAt,
  );

test('when pm2 answers before the app may be late, it has said that it is ready; else it has not', () => {
  expect([verdict({}, 11_999), verdict({}, 12_000)]).toEqual(['ready', 'mute']);
});

test.each<[string, Partial<AppSight>]>([
  ['was started once more since', { restarts: 5 }],
  ['waits for its next start', { status: 'waiting restart' }],
  ['is online without a process', { alive: false }],
])('when it %s, it has crashed', (_, change) => {
  expect(verdict(change, 10_100)).toBe('crashed');
});
