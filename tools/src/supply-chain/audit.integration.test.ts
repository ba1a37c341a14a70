import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterThisFile, startProcess } from '@bowline/testing';
import { expect, test } from 'vitest';

const ADVISORY = {
  id: 1,
  url: 'https://github.com/advisories/GHSA-test-test-test',
  title: 'sockets may leak',
  severity: 'high',
  vulnerable_versions: '>=0',
};

/** Runs the audit with the real npm against a registry that answers the question for weaknesses like that. */
async function auditAgainst(
  status: number,
  weaknesses: object,
): Promise<{ code: number | null; output: string }> {
  const registry = createServer((request, response) => {
    request.resume().on('end', () => {
      const isAudit = request.url === '/-/npm/v1/security/advisories/bulk';
      response.writeHead(isAudit ? status : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(isAudit ? weaknesses : {}));
    });
  });
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
  afterThisFile(() => void registry.close());
  const { port } = registry.address() as { port: number };
  const env = { ...process.env, npm_config_registry: `http://127.0.0.1:${port}/`, no_proxy: '127.0.0.1' };
  const audit = startProcess(process.execPath, [join(import.meta.dirname, 'audit.ts')], { env });
  const { code } = await audit.exited;
  return { code, output: audit.stdout() + audit.stderr() };
}

test('when the registry knows of no weakness, the audit passes', async () => {
  expect(await auditAgainst(200, {})).toEqual({
    code: 0,
    output: 'audit: 0 open, 0 excepted, 0 exceptions to remove\n',
  });
});

test('when it knows of one, the audit fails and names package, weakness and what to do', async () => {
  const { code, output } = await auditAgainst(200, { ws: [ADVISORY] });
  expect(code).toBe(1);
  expect(output).toContain(`high: ws: sockets may leak (${ADVISORY.url})`);
  expect(output).toContain('tools/audit-exceptions.json');
});

test('when the registry refuses to answer, the audit says that nothing was checked and why', async () => {
  const { code, output } = await auditAgainst(405, {});
  expect(code).toBe(69);
  expect(output).toMatch(/^audit: NOT CHECKED\..*405/);
});
