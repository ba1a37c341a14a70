import type { CommandDefinition, DeviceFacts } from '../core/command.ts';

interface Note {
  bootId: string;
  wallMs: number;
  serverMs?: number;
}
type Params = { reason?: string };

/** From the program's end until the machine is really going down; what takes longer has not worked. */
const GOES_DOWN_WITHIN_MS = 300_000;

/** Both end this process and all others; the id of the boot says afterwards that it took place (boot-id.ts). */
const restartOfMachine = (name: 'reboot' | 'shutdown', description: string): CommandDefinition<Params> => ({
  name,
  description,
  idempotent: false,
  concurrency: 'exclusive',
  timeoutMs: GOES_DOWN_WITHIN_MS,
  endsWhenTold: true,
  params: {
    type: 'object',
    properties: { reason: { type: 'string', maxLength: 200, description: 'for the log' } },
    additionalProperties: false,
  },
  result: {
    type: 'object',
    required: ['bootId', 'previousBootId'],
    properties: {
      bootId: { type: 'string', description: 'of the kernel, since it is up again' },
      previousBootId: { type: 'string' },
      tookMs: {
        type: 'integer',
        minimum: 0,
        description:
          'from the start of the order until this app knew that the machine is back; absent if no clock can say',
      },
      clock: { enum: ['server', 'device'], description: 'by which that was measured' },
    },
    additionalProperties: false,
  },
  confirmation: {
    note: (_, device): Note => {
      const { wallMs, serverMs } = device.now();
      return { bootId: device.bootId(), wallMs, ...(serverMs === undefined ? {} : { serverMs }) };
    },
    happened: (note, _, device) => {
      const before = note as Note;
      const bootId = device.bootId();
      if (before.bootId === bootId) return undefined;
      return { bootId, previousBootId: before.bootId, ...time(before, device.now()) };
    },
  },
  run: async (_, { machine, order, signal }) => {
    await machine.control(name, order, signal);
    // From here on the machine goes down: this process ends in the middle of this.
    await new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  },
});

/** The server's clock runs on while the machine does not; a device's own may not, or may have been lost. */
function time(
  before: Note,
  now: ReturnType<DeviceFacts['now']>,
): { tookMs?: number; clock?: 'server' | 'device' } {
  const byServer =
    before.serverMs === undefined || now.serverMs === undefined ? -1 : now.serverMs - before.serverMs;
  if (byServer >= 0) return { tookMs: Math.round(byServer), clock: 'server' };
  const byDevice = now.wallMs - before.wallMs;
  return byDevice < 0 ? {} : { tookMs: Math.round(byDevice), clock: 'device' };
}

export const reboot = restartOfMachine(
  'reboot',
  'Restarts the machine; succeeds when it is up again, with the time that took.',
);

export const shutdown = restartOfMachine(
  'shutdown',
  'Turns the machine off; succeeds when somebody has turned it on again.',
);
