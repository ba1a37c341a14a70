// Registers a command on the device and carries it out: node command.mjs [SOCKET] (docs/commands.md).
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const path = process.argv[2] ?? '/run/bowline/commands/commands.sock';
const params = {
  type: 'object',
  required: ['litres'],
  properties: { litres: { type: 'integer', minimum: 1 } },
};
const command = { name: 'fillTank', description: 'Fills the tank.', idempotent: false, params };

// The executor may be restarted at any time.
for (;;) {
  const link = connect(path);
  const closed = new Promise((resolve) => link.once('close', resolve));
  link.on('error', () => undefined);
  const say = (message) => link.write(`${JSON.stringify(message)}\n`);
  say({ type: 'register', command });
  const lines = createInterface({ input: link });
  lines.on('error', () => undefined);
  lines.on('line', (line) => {
    const { type, orderId, params: given, ...rest } = JSON.parse(line);
    if (type === 'run') {
      say({ type: 'progress', orderId, percent: 50, note: 'half full' });
      say({ type: 'result', orderId, result: { litres: given.litres } });
    }
    if (type === 'refused' || type === 'error') process.stderr.write(`${type}: ${rest.message}\n`);
  });
  await closed;
  await sleep(1000);
}
