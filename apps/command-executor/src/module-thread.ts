/**
 * The thread of one command module (adapters/modules/module-thread-host.ts): loads the module, says what it is, and runs it. It stands
 * alone, so that a thread costs little.
 */
import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

const OURS = '@bowline/command';
/** `defineCommand` of the executor that loads the module, whatever lies beside it (libs/command). */
const SOURCE = 'export const defineCommand = (definition) => definition;';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === OURS
      ? { url: `data:text/javascript,${encodeURIComponent(SOURCE)}`, format: 'module', shortCircuit: true }
      : next(specifier, context),
});

type Run = (params: unknown, context: object) => unknown;

const port = parentPort;
if (port === null) throw new Error('this file is a thread of the executor');
const say = (message: object): void => port.postMessage(message);
const running = new Map<string, AbortController>();

const { url } = workerData as { url: string };
const loaded = (await import(url)) as { default?: unknown };
const { run, ...description } = (loaded.default ?? {}) as { run?: unknown };
if (typeof run !== 'function')
  throw new Error('it must export its command: export default defineCommand({ …, run })');

port.on('message', (message: { type: 'run' | 'cancel'; orderId: string; reason?: string }) => {
  if (message.type === 'run') void carryOut(run as Run, message as unknown as Order);
  else running.get(message.orderId)?.abort(new Error(message.reason));
});
say({ type: 'ready', description: JSON.stringify(description) });

interface Order {
  orderId: string;
  params: unknown;
  attempt: number;
  timeoutMs: number;
}

async function carryOut(act: Run, { orderId, params, attempt, timeoutMs }: Order): Promise<void> {
  const abort = new AbortController();
  running.set(orderId, abort);
  try {
    const result = await act(params, {
      orderId,
      attempt,
      timeoutMs,
      signal: abort.signal,
      progress: (progress: unknown) => say({ type: 'progress', orderId, progress: JSON.stringify(progress) }),
      log: (text: unknown) => say({ type: 'log', orderId, text: String(text) }),
    });
    say({ type: 'result', orderId, result: JSON.stringify(result) ?? 'null' });
  } catch (error) {
    say({ type: 'failure', orderId, message: error instanceof Error ? error.message : String(error) });
  } finally {
    running.delete(orderId);
  }
}
