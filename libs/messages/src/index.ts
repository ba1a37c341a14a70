export type { DownlinkPayload, DownlinkType, UplinkPayload, UplinkType } from './catalogue.ts';
export { check, describeErrors } from './check.ts';
export { FrameError, type FailedFrame } from './decode.ts';
export type { BatchedMessage, Batch, Message } from './envelope.ts';
export { MAX_NESTING, parseFrame, readableId } from './frame.ts';
export * from './names.ts';
export type { Ack } from './wire/ack.ts';
export type { Command } from './wire/command.ts';
export type { Event } from './wire/event.ts';
export type { Gap } from './wire/gap.ts';
export type { HeartbeatDown, HeartbeatUp } from './wire/heartbeat.ts';
export type { Hello } from './wire/hello.ts';
export type { History, HistoryUpload } from './wire/history.ts';
export type { HistoryRequest } from './wire/history-request.ts';
export type { LedgerEntry, QueueSummary } from './wire/queue-state.ts';
export type { Receipt } from './wire/receipt.ts';
export type { Reject } from './wire/reject.ts';
export type { Sample, Telemetry } from './wire/telemetry.ts';
export type { SignedClaims, SignedCommand, SignedType, SignedUpdate, SshGrant } from './wire/signed.ts';
export type { SoftwareUpdate } from './wire/software-update.ts';
export type { SshAccess } from './wire/ssh-access.ts';
export type {
  DeviceKeyCertificate,
  HostKeyProof,
  SessionStarted,
  TunnelAttached,
  TunnelPaired,
} from './wire/tunnel.ts';
export type { Trust, TrustBundleJws } from './wire/trust.ts';
export type { Welcome } from './wire/welcome.ts';
export type {
  Ed25519Jwk,
  EnrolmentDevice,
  EnrolmentProof,
  EnrolmentRequest,
  EnrolmentResponse,
  ProblemDocument,
  TrustBundle,
} from './http/enrolment.ts';
export type { AccessApproval, AccessWish } from './http/signer.ts';
export type {
  HistoryAnswer,
  HistoryUploadAnswer,
  HistoryUploadSummary,
  Alarm,
  AuditEntry,
  AuditMark,
  AuditPage,
  Backup,
  DeadLetter,
  Device,
  DeviceConfig,
  EnrolmentToken,
  EnrolmentTokenState,
  NewOperatorToken,
  NewSshSession,
  Operator,
  OperatorSession,
  OperatorToken,
  Order,
  OrderStep,
  ServerIncident,
  ServerInfo,
  SeriesSummary,
  Rollout,
  RolloutFailure,
  RolloutReport,
  SshSession,
  StoreLoss,
  StoredEvent,
  StoredSample,
  TelemetryNews,
} from './http/operators.ts';
