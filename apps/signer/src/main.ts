import { join } from 'node:path';
import { readKeyFile, type SigningKey } from '@bowline/identity';
import { AGENT_VERSION, ConfigError, runApp, waitForLock, writeFileDurably } from '@bowline/runtime';
import { Approvals } from './adapters/approvals.ts';
import { AuditFile } from './adapters/audit-file.ts';
import { Decisions } from './adapters/decisions.ts';
import { createSigner } from './adapters/http.ts';
import type { SignerConfig } from './config.ts';
import { config as validateConfig } from './generated/config.js';

const passphrase = (): Promise<string> => {
  const given = process.env['BOWLINE_PASSPHRASE'];
  if (given !== undefined && given !== '') return Promise.resolve(given);
  return Promise.reject(new ConfigError('bad-key', 'a key has a passphrase: put it into BOWLINE_PASSPHRASE'));
};

await runApp<SignerConfig>({
  app: 'signer',
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, log, clock, ready, signal }) => {
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const keys = new Map<string, SigningKey>();
    for (const [role, file] of Object.entries(config.keys))
      if (file !== undefined) keys.set(role, await readKeyFile(file, passphrase));
    const at = Math.round(clock.wallMs());
    const audit = new AuditFile(join(config.stateDir, 'audit.ndjson'), config.audit, at);
    const { cutBytes } = audit;
    if (cutBytes > 0) log.warn({ cutBytes }, 'the audit log ended in half a line, which nobody was answered');
    const { policyFile, rate } = config;
    const decisions = new Decisions({ policyFile, audit, rate, clock, log });
    const approvals = new Approvals(clock, config.approvals);
    let url = '';
    const publicUrl = () => new URL(config.publicUrl ?? url).origin;
    const http = createSigner({ policyFile, keys, audit, decisions, approvals, publicUrl, log });
    url = await http.listen({ host: config.host, port: config.port });
    if (config.infoFile !== undefined) writeFileDurably(config.infoFile, `${JSON.stringify({ url })}\n`);
    log.info({ url, roles: [...keys.keys()] }, 'listening');
    ready();
    return {
      stop: async () => {
        await http.close();
        audit.close();
        lock.release();
      },
    };
  },
});
