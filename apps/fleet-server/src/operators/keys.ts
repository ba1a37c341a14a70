/** This app's own keys in the server's store, beside those of libs/server-sdk. */
export const keys = {
  /** OperatorRecord */
  operators: 'operator/',
  operator: (name: string) => `operator/${name}`,
  /** TokenRecord */
  tokens: 'operator-token/',
  token: (tokenId: string) => `operator-token/${tokenId}`,
  /** Hash of a session's id → SessionRecord */
  sessions: 'operator-session/',
  session: (hash: string) => `operator-session/${hash}`,
  /** AuditEntry */
  audit: 'audit/',
  auditEntry: (seq: number) => `audit/${String(seq).padStart(16, '0')}`,
  /** AuditState */
  auditState: 'meta/audit',
} as const;
