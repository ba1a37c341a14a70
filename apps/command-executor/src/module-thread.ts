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

const PROGRESS_EVERY_MS = 200;

const port = parentPort;
if (port === null) throw new Error('this file is a thread of the executor');
const say = (message: object): void => port.postMessage(message);
const running = new Map<string, AbortController>();

const { url, limits } = workerData as ThreadData;
const loaded = (await import(url)) as { default?: unknown };
const { run, ...description } = (loaded.default ?? {}) as { run?: unknown };
if (typeof run !== 'function')
  throw new Error('it must export its command: export default defineCommand({ …, run })');

port.on('message', (message: { type: 'run' | 'cancel'; orderId: string; reason?: string }) => {
  if (message.type === 'run') void carryOut(run as Run, message as unknown as Order);
  else running.get(message.orderId)?.abort(new Error(message.reason));
});
say({ type: 'ready', description: JSON.stringify(description) });

/** What the executor says to the thread when it starts it. */
export interface ThreadData {
  url: string;
  limits: {
    /** What an order may log in all. */
    logChars: number;
    /** Of one text that it logs; the rest is cut off. */
    lineChars: number;
    /** Of one progress as JSON; a longer one is not told. */
    progressChars: number;
  };
}

interface Order {
  orderId: string;
  params: unknown;
  attempt: number;
  timeoutMs: number;
}

async function carryOut(act: Run, { orderId, params, attempt, timeoutMs }: Order): Promise<void> {
  const abort = new AbortController();
  const progress = progressOf(orderId);
  running.set(orderId, abort);
  try {
    const result = await act(params, {
      orderId,
      attempt,
      timeoutMs,
      signal: abort.signal,
      progress: progress.tell,
      log: logOf(orderId),
    });
    const json = JSON.stringify(result) as string | undefined;
    say({ type: 'result', orderId, result: json ?? 'null', isGiven: json !== undefined });
  } catch (error) {
    say({ type: 'failure', orderId, message: error instanceof Error ? error.message : String(error) });
  } finally {
    progress.end();
    running.delete(orderId);
  }
}

/** Bounded here: what was once sent waits in the memory of the executor until it has time for it. */
function logOf(orderId: string): (text: unknown) => void {
  let room = limits.logChars;
  return (text) => {
    if (room <= 0) return;
    const line = String(text).slice(0, limits.lineChars);
    room -= line.length + 1;
    say({ type: 'log', orderId, text: line, isLast: room <= 0 });
  };
}

/** The first at once, then the newest; by the clock too, since no timer fires while a module is at work without a pause. */
function progressOf(orderId: string): { tell(progress: unknown): void; end(): void } {
  let newest: string | undefined;
  let saidAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const sayNewest = () => {
    clearTimeout(timer);
    timer = undefined;
    if (newest === undefined) return;
    saidAt = performance.now();
    say({ type: 'progress', orderId, progress: newest });
    newest = undefined;
  };
  return {
    tell: (progress) => {
      const json = JSON.stringify(progress) as string | undefined;
      if (json === undefined || json.length > limits.progressChars || !running.has(orderId)) return;
      newest = json;
      if (performance.now() - saidAt >= PROGRESS_EVERY_MS) sayNewest();
      else timer ??= setTimeout(sayNewest, PROGRESS_EVERY_MS);
    },
    end: () => clearTimeout(timer),
  };
}
