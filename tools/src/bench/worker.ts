type Handlers = Record<string, (input: never) => unknown>;

/**
 * The worker's side of {@link BenchProcess.call}: handlers by name, whatever they return or throw goes back. A worker ends
 * with the run that started it.
 */
export function work(handlers: Handlers): void {
  process.on('message', (message: { call: number; name: string; input: never }) => {
    void answer(handlers, message);
  });
  process.on('disconnect', () => process.exit());
  process.send?.('ready');
}

async function answer(
  handlers: Handlers,
  { call, name, input }: { call: number; name: string; input: never },
): Promise<void> {
  try {
    const handler = handlers[name];
    if (handler === undefined) throw new Error(`no handler ${name}`);
    process.send?.({ call, output: await handler(input) });
  } catch (error) {
    process.send?.({ call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
