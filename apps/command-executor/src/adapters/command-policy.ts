import {
  isAllowed,
  judgeCommand,
  judgeParams,
  longestTimeoutMs,
  needsSignature,
  type HeldPolicy,
} from '@bowline/identity/policy';
import type { CommandPolicy } from '../core/policy.ts';

/** The device's policy as the core sees it. */
export const commandPolicy = (held: HeldPolicy): CommandPolicy => ({
  source: held.source,
  ...(held.fault === undefined ? {} : { fault: held.fault }),
  isAllowed: (name) => isAllowed(held, name),
  needsSignature: (name) => needsSignature(held, name),
  longestTimeoutMs: (name) => longestTimeoutMs(held, name),
  judge: (wanted) => judgeCommand(held, wanted),
  judgeParams: (wanted) => judgeParams(held, wanted),
});
