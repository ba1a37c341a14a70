/** The peer: mqtt.js, QoS 1, with its memory store or with mqtt-level-store. */
import { mkdirSync } from 'node:fs';
import { seededRandom } from '@bowline/testing';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { messageText } from '../message.ts';
import { work } from '../worker.ts';

let client: MqttClient | undefined;
let random = seededRandom(1);
let prepared: string[] = [];

work({
  async connect({ port, seed, levelFolder }: { port: number; seed: number; levelFolder?: string }) {
    random = seededRandom(seed);
    client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
      clientId: levelFolder === undefined ? 'memory' : 'level',
      clean: false,
      ...(levelFolder === undefined ? {} : await levelStores(levelFolder)),
    });
  },

  prepare({ count }: { count: number }) {
    prepared = Array.from({ length: count }, () => messageText(random));
  },

  /** `outstanding` publishes at a time. Milliseconds until the broker had acknowledged the last one. */
  run({ outstanding }: { outstanding: number }) {
    const begunAt = performance.now();
    let next = 0;
    let done = 0;
    return new Promise<number>((resolve, reject) => {
      const publish = () => {
        const text = prepared[next++];
        if (text === undefined) return;
        client?.publish('bench/telemetry', text, { qos: 1 }, (error) => {
          if (error) return reject(error);
          done += 1;
          if (done === prepared.length) resolve(performance.now() - begunAt);
          else publish();
        });
      };
      for (let call = 0; call < outstanding; call += 1) publish();
    });
  },
});

async function levelStores(folder: string): Promise<Pick<IClientOptions, 'incomingStore' | 'outgoingStore'>> {
  mkdirSync(folder);
  const { default: mqttLevelStore } = await import('mqtt-level-store');
  const { incoming, outgoing } = mqttLevelStore(folder);
  return { incomingStore: incoming, outgoingStore: outgoing };
}
