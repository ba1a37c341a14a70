import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Hello } from '@bowline/messages';
import { waitFor } from '@bowline/testing';
import { expect, test } from 'vitest';
import { memoryStore } from '../store/memory-store.ts';
import { UplinkLog } from './uplink-log.ts';
import { open } from './uplink-state.ts';

const LIMIT = 1_000_000;
const empty = { first: 1, next: 1 };
const hello = {
  epoch: 'e1',
  lanes: { results: empty, events: empty, telemetry: empty, history: empty },
} as Hello;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('when a frame has become durable and the link stays quiet, the log does not keep it in memory', async () => {
  const store = memoryStore();
  const limits = { results: LIMIT, events: LIMIT, telemetry: LIMIT, history: LIMIT };
  const log = new UplinkLog(store, limits);
  // Held for as long as the link lives.
  const { state } = open(undefined, hello, 0);
  const append = () => {
    const frame = Buffer.from('{"id":"m","type":"event","seq":1,"sentAt":0,"payload":{}}');
    log.append('d1', state, { lane: 'events', seq: 1, lastSeq: 1, ids: [], frame, at: 0 });
    return new WeakRef(frame);
  };
  const frame = append();
  expect(frame.deref()).toBeDefined();
  await store.write([]);
  await waitFor(() => {
    collect();
    return frame.deref() === undefined;
  });
  expect(log.recordOf('d1', 'events', state.generation, 1)).toHaveLength(1);
});
