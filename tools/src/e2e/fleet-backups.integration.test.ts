import { expect, test } from 'vitest';
import { PlainServer } from './plain-server.ts';

test('when an operator makes backups, the command line says where they are, and the server keeps the list', async () => {
  const server = await PlainServer.start();
  expect((await server.fleet('backups')).stdout).toContain('No backup was made yet');
  const made = await server.fleet('backups', 'make');
  const [, folder = ''] = /checked, on the server in (\S+)$/m.exec(made.stdout) ?? [];
  expect(folder).toContain('backups');
  expect((await server.fleet('backups')).stdout).toContain(folder);
  expect(JSON.parse((await server.fleet('backups', '--json')).stdout)).toMatchObject({
    backups: [{ folder }],
  });

  const { stdout } = await server.fleet('server');
  expect(stdout).toMatch(/^server \S+, epoch \S+\nstore +\d+ .?B in a file of \d+ .?i?B$/m);
  expect(JSON.parse((await server.fleet('server', '--json')).stdout)).toMatchObject({ incidents: [] });
});
