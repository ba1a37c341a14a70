import { join } from 'node:path';
import { folderIn, workerSeed, type BenchContext } from '../context.ts';
import { rate } from './rounds.ts';

/**
 * The ceiling: the same path, the same three processes and both stores on disk, with nothing but the moving of bytes.
 * Returns what measures one round: messages a second from the first hand-over to the last deletion.
 */
export async function startBarePipeline(context: BenchContext, count: number, outstanding: number) {
  const { processes, random } = context;
  const path = join(folderIn(context, 'bare'), 'app.sock');
  const worker = (name: string) => processes.node(name, join(import.meta.dirname, `${name}-worker.ts`));
  const server = await worker('bare-server');
  const gateway = await worker('bare-gateway');
  const app = await worker('bare-app');
  const { port } = await server.call<{ port: number }>('start', { folder: folderIn(context, 'bare/server') });
  await gateway.call('start', { folder: folderIn(context, 'bare/gateway'), path, port });
  await app.call('connect', { path, seed: workerSeed(random) });

  let messages = 0;
  return {
    async round(): Promise<number> {
      await app.call('prepare', { count });
      messages += count;
      const begunAt = performance.now();
      await app.call('run', { outstanding });
      await gateway.call('untilDeleted', { messages });
      return rate(count, performance.now() - begunAt);
    },
    async end(): Promise<void> {
      for (const process of [app, gateway, server]) await process.end();
    },
  };
}
