/** An app of the device: hands messages over to the gateway's hub, as many at a time as it is told. */
import { setImmediate as turn } from 'node:timers/promises';
import { connectHub, type HubClient, type NewMessage } from '@bowline/ipc';
import { createLogger, systemClock } from '@bowline/runtime';
import { seededRandom } from '@bowline/testing';
import { message } from '../message.ts';
import { work } from '../worker.ts';

/** Messages a call, where only the filling of the store counts. */
const FILL_A_CALL = 500;
const FILL_CALLS = 8;

let hub: HubClient | undefined;
let random = seededRandom(1);
let prepared: NewMessage[] = [];

work({
  async connect({ hubFolder, seed }: { hubFolder: string; seed: number }) {
    random = seededRandom(seed);
    hub = connectHub({
      folder: hubFolder,
      app: 'telemetry-collector',
      version: '0',
      orderTypes: [],
      log: createLogger({ app: 'bench', level: 'error' }),
      clock: systemClock,
    });
    const connected = hub;
    await new Promise<void>((resolve) => connected.onRegistered(() => resolve()));
  },

  /** Makes the messages of the next `run`, which is not part of what is measured. */
  prepare({ count }: { count: number }) {
    prepared = Array.from({ length: count }, () => message(random));
  },

  /** One message a call, `outstanding` calls at a time. Milliseconds until the last one was durable. */
  async run({ outstanding }: { outstanding: number }) {
    const begunAt = performance.now();
    let next = 0;
    const caller = async () => {
      for (let one = prepared[next++]; one !== undefined; one = prepared[next++]) await hub?.enqueue([one]);
    };
    await Promise.all(Array.from({ length: outstanding }, caller));
    return performance.now() - begunAt;
  },

  async fill({ count }: { count: number }) {
    let left = count;
    const caller = async () => {
      while (left > 0) {
        const taken = Math.min(FILL_A_CALL, left);
        left -= taken;
        await hub?.enqueue(Array.from({ length: taken }, () => message(random)));
        await turn();
      }
    };
    await Promise.all(Array.from({ length: FILL_CALLS }, caller));
  },
});
