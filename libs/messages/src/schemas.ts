/** Everything that is compiled ahead of time into src/generated (see tools/src/build/compile-schemas.ts). */
import type { TSchema } from 'typebox';
import { DOWNLINK, UPLINK } from './catalogue.ts';
import { Batch, Envelope } from './envelope.ts';
import {
  EnrolmentProof,
  EnrolmentRequest,
  EnrolmentResponse,
  ProblemDocument,
  TrustBundle,
} from './http/enrolment.ts';
import { OPERATORS } from './http/operators.ts';
import { AccessApproval, AccessWish } from './http/signer.ts';
import { APP_NOTIFICATIONS, APP_REQUESTS, HUB_NOTIFICATIONS, HUB_REQUESTS } from './local/hub.ts';
import { strict } from './strict.ts';
import { SIGNED } from './wire/signed.ts';
import { TrustBundleJws } from './wire/trust.ts';
import {
  DeviceKeyCertificate,
  HostKeyProof,
  SessionStarted,
  TunnelAttached,
  TunnelPaired,
} from './wire/tunnel.ts';

const bothWays = (table: Record<string, { request: TSchema; line?: TSchema; response: TSchema }>) =>
  Object.fromEntries(
    Object.entries(table).flatMap(([name, schemasOf]) =>
      Object.entries(schemasOf).map(([part, schema]) => [`${name}_${part}`, schema]),
    ),
  );

/** Module → name → schema. A process bundles only the modules whose side of the contract it plays. */
export const schemas: Record<string, Record<string, TSchema>> = {
  envelope: { envelope: Envelope, batch: Batch },
  uplink: UPLINK,
  downlink: DOWNLINK,
  /** What a device itself stores and sends is checked strictly (protocol, section 2). */
  'uplink-strict': Object.fromEntries(Object.entries(UPLINK).map(([type, schema]) => [type, strict(schema)])),
  'hub-requests': bothWays(HUB_REQUESTS),
  'app-requests': bothWays(APP_REQUESTS),
  notifications: { ...HUB_NOTIFICATIONS, ...APP_NOTIFICATIONS },
  http: {
    enrolmentRequest: EnrolmentRequest,
    enrolmentResponse: EnrolmentResponse,
    enrolmentProof: EnrolmentProof,
    problem: ProblemDocument,
  },
  /** Apart from `http`, so that an app that only checks bundles does not pay for the rest. */
  trust: { trustBundle: TrustBundle, trustBundleJws: TrustBundleJws },
  operators: OPERATORS,
  /** Claims of what an order carries signed, by the type of the order. */
  signed: SIGNED,
  /** Between a signer and those who ask it. */
  signer: { accessWish: AccessWish, accessApproval: AccessApproval },
  tunnel: {
    attached: TunnelAttached,
    paired: TunnelPaired,
    hostKeyProof: HostKeyProof,
    deviceKeyCertificate: DeviceKeyCertificate,
    sessionStarted: SessionStarted,
  },
};
