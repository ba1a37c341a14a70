import { createLogger } from '@bowline/runtime';
import { FakeClock } from '@bowline/testing';
import type { TunnelEnd } from '@bowline/tunnel';
import { expect, test } from 'vitest';
import { memoryStore } from '../store/memory-store.ts';
import { TunnelDesk } from './tunnel-desk.ts';
import { hashOfToken } from './tunnel-record.ts';
import { TunnelSessions } from './tunnel-sessions.ts';

const log = createLogger({ app: 'test', write: () => undefined });

/** A device's socket that is there and says nothing. */
const socket = {
  isOpen: true,
  onBinary: () => undefined,
  onClose: () => undefined,
  text: () => undefined,
  close: () => undefined,
} as unknown as TunnelEnd;

test('when an operator who was let in has gone meanwhile, the next who waits gets the socket', async () => {
  const clock = new FakeClock();
  const sessions = new TunnelSessions(memoryStore(), clock, { maxSessions: 1, keepEndedMs: 1000 });
  const wanted = { deviceId: 'd1', operator: 'ada', expiresInMs: 60_000, streams: 2 };
  const { record, deviceToken } = await sessions.create(wanted);
  const { sessionId } = record;
  const desk = new TunnelDesk({ sessions, clock, log, report: () => undefined }, 1000);
  const { signal } = new AbortController();
  const [goes, stays] = [desk.reserve(sessionId), desk.reserve(sessionId)];
  const first = desk.whenReady(sessionId, signal);
  let second: boolean | undefined;
  void desk.whenReady(sessionId, signal).then((ready) => (second = ready));
  await desk.attach(sessionId, hashOfToken(deviceToken), socket);
  expect(await first).toBe(true);
  expect(second).toBeUndefined();
  goes();
  await clock.advance(1);
  expect(second).toBe(true);
  stays();
});
