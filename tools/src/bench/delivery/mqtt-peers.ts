import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, waitFor } from '@bowline/testing';
import { hasProgram } from '@bowline/testing/programs';
import { folderIn, workerSeed, type BenchContext } from '../context.ts';
import { handOver } from './enqueue.ts';

/** Why there is nothing to compare with, where the broker is not installed. */
export const NO_BROKER = 'mosquitto is not installed: sudo apt-get install -y mosquitto';

export interface Peers {
  memory(): Promise<number>;
  level(): Promise<number>;
  end(): Promise<void>;
}

/**
 * mqtt.js with QoS 1 against mosquitto, which keeps nothing on disk and has nobody to deliver to: a publish counts once
 * the broker has acknowledged it. Undefined without mosquitto.
 */
export async function startPeers(
  context: BenchContext,
  counts: { memory: number; level: number },
  outstanding: number,
): Promise<Peers | undefined> {
  if (!hasProgram('mosquitto')) return undefined;
  const { processes, random } = context;
  const folder = folderIn(context, 'mqtt');
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  const settings = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'set_tcp_nodelay true',
    'max_queued_messages 0',
    `user ${userInfo().username}`,
    'log_dest stderr',
    'log_type error',
  ];
  writeFileSync(config, `${settings.join('\n')}\n`);
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  // The broker does not watch its parent as our processes do: the kernel ends it with us.
  const command = ['--pdeathsig', 'TERM', 'mosquitto', '-c', config];
  const broker = processes.start('mosquitto', 'setpriv', command, { ...process.env, PATH: path });
  await waitFor(() => listens(port), { what: 'mosquitto' });

  const worker = async (name: string, levelFolder?: string) => {
    const started = await processes.node(name, join(import.meta.dirname, 'mqtt-worker.ts'));
    await started.call('connect', {
      port,
      seed: workerSeed(random),
      ...(levelFolder ? { levelFolder } : {}),
    });
    return started;
  };
  const memory = await worker('mqtt-memory');
  const level = await worker('mqtt-level', join(folder, 'level'));
  return {
    memory: () => handOver(memory, counts.memory, outstanding),
    level: () => handOver(level, counts.level, outstanding),
    async end() {
      for (const process of [memory, level, broker]) await process.end();
    },
  };
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
