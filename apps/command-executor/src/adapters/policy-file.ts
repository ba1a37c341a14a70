import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { check } from '@bowline/messages/check';
import { BowlineError, ConfigError, hasCode } from '@bowline/runtime/errors';
import { DEFAULT_POLICY, type Policy } from '../core/policy.ts';
import type { OrderError } from '../core/plan-command.ts';
import { policy as isPolicy } from '../generated/policy.js';
import type { PolicyFile } from '../policy-schema.ts';

const MAX_BYTES = 65_536;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The policy as it stands now; read for each order, so that an edit counts at once. Nothing that is wrong with the file
 * ever widens what is allowed: an error allows nothing (`policy-unusable`). Only a file that is not there means the default.
 */
export function readPolicy(file: string | undefined): Policy | OrderError {
  if (file === undefined) return DEFAULT_POLICY;
  try {
    const content = check<PolicyFile>(isPolicy, JSON.parse(readSafely(file)), 'policy');
    if (content.commands === undefined)
      return { ...DEFAULT_POLICY, source: `${DEFAULT_POLICY.source} (${file} has no section commands)` };
    return { allow: content.commands.allow, source: `policy file ${file}` };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return DEFAULT_POLICY;
    const why = error instanceof BowlineError || error instanceof SyntaxError ? error.message : String(error);
    return {
      code: 'policy-unusable',
      message: `the policy file ${file} cannot be used, so nothing is allowed: ${why}`,
    };
  }
}

/** Checks and reads one and the same open file. */
function readSafely(file: string): string {
  const handle = openSync(file, 'r');
  try {
    const { mode, uid, size } = fstatSync(handle);
    if ((mode & WRITABLE_BY_OTHERS) !== 0)
      throw new ConfigError('policy-unusable', 'others than its owner may write it');
    if (uid !== 0 && uid !== process.getuid?.())
      throw new ConfigError('policy-unusable', `it belongs to user ${uid}`);
    if (size > MAX_BYTES) throw new ConfigError('policy-unusable', `it is larger than ${MAX_BYTES} bytes`);
    return readFileSync(handle, 'utf8');
  } finally {
    closeSync(handle);
  }
}
