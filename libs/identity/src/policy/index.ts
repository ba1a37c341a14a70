export { parsePolicy, PolicyFile } from './policy-file.ts';
export {
  DEFAULT_POLICY,
  isAllowed,
  judgeCommand,
  judgeParams,
  judgeRelease,
  judgeSsh,
  judgeUpdate,
  longestTimeoutMs,
  needsSignature,
  type HeldPolicy,
  type PolicyRefusal,
  type WantedCommand,
} from './policy.ts';
export type { CommandRule, MaintenanceWindow, Policy } from './policy-schema.ts';
export { watchPolicy } from './watch-policy.ts';
