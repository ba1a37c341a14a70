/** Everything of this lib that is compiled ahead of time into src/generated. */
import { Policy } from './policy/policy-schema.ts';
import { TrustAnchor } from './trust/trust-anchor-schema.ts';

export const schemas = { policy: { policy: Policy }, anchor: { trustAnchor: TrustAnchor } };
