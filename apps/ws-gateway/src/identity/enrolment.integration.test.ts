import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey } from '@bowline/identity';
import { createLogger } from '@bowline/runtime';
import { afterThisFile, temporaryFolder } from '@bowline/testing';
import { expect, it } from 'vitest';
import { enrol } from './enrolment.ts';

it('when the server answers without end, it is given up at the largest answer there may be, and the token stays', async () => {
  let sent = 0;
  const server = createServer((_request, response) => {
    response.writeHead(201, { 'content-type': 'application/json' });
    const more = () => {
      while (!response.destroyed && response.write(' '.repeat(65_536))) sent += 65_536;
      response.once('drain', more);
    };
    more();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterThisFile(() => void server.close());

  const stateDir = temporaryFolder();
  const tokenFile = join(stateDir, 'token');
  const key = await createKey();
  writeFileSync(tokenFile, `0123456789abcdef.${key.thumbprint}`);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { stateDir, server: origin, tokenFile, allowInsecure: true, agentVersion: '0' };
  const log = createLogger({ app: 'test', level: 'error' });

  await expect(enrol(options, key, log, Date.now())).rejects.toMatchObject({
    code: 'enrolment-unreachable',
    message: expect.stringContaining('an answer of more than 262144 bytes'),
  });
  expect(sent).toBeLessThan(64 * 2 ** 20); // of the socket's buffers, not of our memory
  expect(existsSync(tokenFile)).toBe(true);
});
