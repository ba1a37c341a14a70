import { readFileSync } from 'node:fs';
import {
  check,
  type Backup,
  type ServerInfo,
  type AuditPage,
  type Device,
  type DeviceConfig,
  type EnrolmentToken,
  type EnrolmentTokenState,
  type NewSshSession,
  type HistoryAnswer,
  type HistoryUploadAnswer,
  type HistoryUploadSummary,
  type NewOperatorToken,
  type Operator,
  type Order,
  type ProblemDocument,
  type Role,
  type Rollout,
  type RolloutReport,
  type SshSession,
  type TrustBundleJws,
} from '@bowline/messages';
import { trustBundleJws } from '@bowline/messages/trust';
import * as operators from '@bowline/messages/operators';
import type { Installation } from '@bowline/pm2';
import { hasCode } from '@bowline/runtime/errors';
import { CliError, EXIT } from '../core/cli-error.ts';
import { proxyVariable } from './go-by-proxy.ts';
import { suggest } from '@bowline/runtime/suggest';

const CALL_DEADLINE_MS = 10_000;
/** Many parts are read and put together. */
const ANSWER_DEADLINE_MS = 60_000;
/** All of the store is copied and read. */
const BACKUP_DEADLINE_MS = 30 * 60_000;
/** What Node says of certificates that it does not trust. */
const UNTRUSTED = [
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

export interface NewOrder {
  /** Of a signed order: the id that the signature covers. */
  orderId?: string;
  type: string;
  payload: Record<string, unknown>;
  expiresInMs?: number;
}

export interface NewToken {
  deviceId?: string;
  name?: string;
  groups?: string[];
  expiresInMs?: number;
  maxUses?: number;
}

/** Of an operator's own token. */
export interface NewOperatorTokenWish {
  label?: string;
  expiresInMs?: number;
}

/** The server's HTTP API for operators; every answer is checked before it is used. */
export class OperatorsApi {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  async devices(): Promise<Device[]> {
    const { devices } = (await this.#call('/v1/devices')) as { devices?: unknown };
    return (Array.isArray(devices) ? devices : []).map((device) => check<Device>(operators.device, device));
  }

  async device(deviceId: string): Promise<Device> {
    return check<Device>(operators.device, await this.#call(`/v1/devices/${encodeURIComponent(deviceId)}`));
  }

  async giveOrder(deviceId: string, order: NewOrder): Promise<Order> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/orders`;
    return check<Order>(operators.order, await this.#call(path, order));
  }

  async pushConfig(
    deviceId: string,
    document: { sections: Record<string, unknown>; version?: number; confirmWithinMs?: number },
  ): Promise<Order> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/config`;
    return check<Order>(operators.order, await this.#call(path, document));
  }

  /** With the sections of the wanted document, as long as the server has its order. */
  async config(deviceId: string): Promise<DeviceConfig & { sections?: Record<string, unknown> }> {
    return check<DeviceConfig>(
      operators.deviceConfig,
      await this.#call(`/v1/devices/${encodeURIComponent(deviceId)}/config`),
    );
  }

  async order(orderId: string): Promise<Order> {
    return check<Order>(operators.order, await this.#call(`/v1/orders/${encodeURIComponent(orderId)}`));
  }

  /** Has the device call an order off. @returns the order that does it. */
  async cancelOrder(orderId: string): Promise<Order> {
    return check<Order>(
      operators.order,
      await this.#call(`/v1/orders/${encodeURIComponent(orderId)}/cancel`, {}),
    );
  }

  async rollouts(): Promise<Rollout[]> {
    const { rollouts } = (await this.#call('/v1/rollouts')) as { rollouts?: unknown };
    return (Array.isArray(rollouts) ? rollouts : []).map((each) => check<Rollout>(operators.rollout, each));
  }

  async rollout(id: string): Promise<RolloutReport> {
    return check<RolloutReport>(operators.rolloutReport, await this.#call(rolloutPath(id)));
  }

  async beginRollout(wanted: {
    order: string;
    maxFailedPercent?: number;
    allowEmptyGroup?: boolean;
    allowUnpublished?: boolean;
  }): Promise<Rollout> {
    return check<Rollout>(operators.rollout, await this.#call('/v1/rollouts', wanted, ANSWER_DEADLINE_MS));
  }

  /** @param stage its order: signed for the same rollout, for a share that is no smaller. */
  async stageRollout(id: string, stage: { order: string; allowUnpublished?: boolean }): Promise<Rollout> {
    const path = `${rolloutPath(id)}/stage`;
    return check<Rollout>(operators.rollout, await this.#call(path, stage, ANSWER_DEADLINE_MS));
  }

  async haltRollout(id: string, how: 'pause' | 'stop', reason: string | undefined): Promise<Rollout> {
    const body = reason === undefined ? {} : { reason };
    return check<Rollout>(operators.rollout, await this.#call(`${rolloutPath(id)}/${how}`, body));
  }

  async newSshSession(
    deviceId: string,
    wanted: { expiresInMs: number; streams: number; user: string; reason: string },
  ): Promise<NewSshSession> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/ssh-sessions`;
    return check<NewSshSession>(operators.newSshSession, await this.#call(path, wanted));
  }

  async sshSessions(): Promise<SshSession[]> {
    const { sessions } = (await this.#call('/v1/ssh-sessions')) as { sessions?: unknown };
    return (Array.isArray(sessions) ? sessions : []).map((each) =>
      check<SshSession>(operators.sshSession, each),
    );
  }

  async endSshSession(sessionId: string): Promise<SshSession> {
    const path = `/v1/ssh-sessions/${encodeURIComponent(sessionId)}/end`;
    return check<SshSession>(operators.sshSession, await this.#call(path, {}));
  }

  /** What the device has answered to an order `historyRequest` so far. */
  async historyAnswer(orderId: string): Promise<HistoryAnswer> {
    const path = `/v1/orders/${encodeURIComponent(orderId)}/history`;
    return check<HistoryAnswer>(
      operators.historyAnswer,
      await this.#call(path, undefined, ANSWER_DEADLINE_MS),
    );
  }

  /** What a device has uploaded of its logs on its own schedule, newest first. */
  async uploads(deviceId: string): Promise<HistoryUploadSummary[]> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/uploads`;
    const { uploads } = (await this.#call(path, undefined, ANSWER_DEADLINE_MS)) as { uploads?: unknown[] };
    return (uploads ?? []).map((each) =>
      check<HistoryUploadSummary>(operators.historyUpload, each, 'upload'),
    );
  }

  async upload(deviceId: string, uploadId: string): Promise<HistoryUploadAnswer> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/uploads/${encodeURIComponent(uploadId)}`;
    return check<HistoryUploadAnswer>(
      operators.historyUploadAnswer,
      await this.#call(path, undefined, ANSWER_DEADLINE_MS),
    );
  }

  /** The current trust bundle of the fleet. */
  async trust(): Promise<TrustBundleJws> {
    const { trust } = (await this.#call('/v1/trust')) as { trust?: unknown };
    return check<TrustBundleJws>(trustBundleJws, trust, 'trust');
  }

  /** @returns its version. */
  async publishTrust(trust: TrustBundleJws): Promise<number> {
    return ((await this.#call('/v1/trust', { trust })) as { version: number }).version;
  }

  /** A key that may enrol without a token; the server checks that it is one. */
  async register(
    deviceId: string,
    publicKey: unknown,
    about: { name?: string | undefined; groups: string[] },
  ): Promise<Device> {
    return check<Device>(
      operators.device,
      await this.#call('/v1/devices', { deviceId, publicKey, ...about }),
    );
  }

  async setAccess(deviceId: string, what: 'revoke' | 'restore'): Promise<Device> {
    const path = `/v1/devices/${encodeURIComponent(deviceId)}/${what}`;
    return check<Device>(operators.device, await this.#call(path, {}));
  }

  decommission(deviceId: string): Promise<unknown> {
    return this.#call(`/v1/devices/${encodeURIComponent(deviceId)}/decommission`, {});
  }

  async tokens(): Promise<EnrolmentTokenState[]> {
    const { tokens } = (await this.#call('/v1/enrolment-tokens')) as { tokens?: unknown };
    return (Array.isArray(tokens) ? tokens : []).map((token) =>
      check<EnrolmentTokenState>(operators.enrolmentTokenState, token),
    );
  }

  async createToken(wanted: NewToken): Promise<EnrolmentToken> {
    return check<EnrolmentToken>(operators.enrolmentToken, await this.#call('/v1/enrolment-tokens', wanted));
  }

  async revokeToken(tokenId: string): Promise<EnrolmentTokenState> {
    const path = `/v1/enrolment-tokens/${encodeURIComponent(tokenId)}/revoke`;
    return check<EnrolmentTokenState>(operators.enrolmentTokenState, await this.#call(path, {}));
  }

  async operators(): Promise<Operator[]> {
    const { operators: list } = (await this.#call('/v1/operators')) as { operators?: unknown };
    return (Array.isArray(list) ? list : []).map((operator) => check<Operator>(operators.operator, operator));
  }

  async createOperator(
    wanted: { name: string; role: Role } & NewOperatorTokenWish,
  ): Promise<NewOperatorToken> {
    return check<NewOperatorToken>(operators.newOperatorToken, await this.#call('/v1/operators', wanted));
  }

  async createOperatorToken(name: string, wanted: NewOperatorTokenWish): Promise<NewOperatorToken> {
    const made = await this.#call(`/v1/operators/${encodeURIComponent(name)}/tokens`, wanted);
    return check<NewOperatorToken>(operators.newOperatorToken, made);
  }

  async revokeOperator(name: string, tokenId: string | undefined): Promise<void> {
    const one = tokenId === undefined ? '' : `/tokens/${encodeURIComponent(tokenId)}`;
    await this.#call(`/v1/operators/${encodeURIComponent(name)}${one}/revoke`, {});
  }

  /** Ascending from `after`, else the newest, newest first. */
  async audit({ after, limit }: { after?: number; limit: number }): Promise<AuditPage> {
    const query = new URLSearchParams({
      limit: String(limit),
      ...(after === undefined ? {} : { after: String(after) }),
    });
    return check<AuditPage>(operators.auditPage, await this.#call(`/v1/audit?${query}`));
  }

  async server(): Promise<ServerInfo> {
    return check<ServerInfo>(operators.server, await this.#call('/v1/server'));
  }

  async backups(): Promise<Backup[]> {
    const { backups } = (await this.#call('/v1/server/backups')) as { backups?: unknown };
    return (Array.isArray(backups) ? backups : []).map((backup) => check<Backup>(operators.backup, backup));
  }

  async backUp(): Promise<Backup> {
    return check<Backup>(operators.backup, await this.#call('/v1/server/backups', {}, BACKUP_DEADLINE_MS));
  }

  async #call(path: string, body?: unknown, deadlineMs = CALL_DEADLINE_MS): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          authorization: `Bearer ${this.#token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(deadlineMs),
      });
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (hasCode(cause, ...UNTRUSTED)) {
        const sentence = `The certificate of ${this.url} cannot be trusted (${cause.code}).`;
        const advice = 'If its authority is your own: NODE_EXTRA_CA_CERTS=FILE bowline fleet …';
        throw new CliError('server-untrusted', sentence, { exitCode: EXIT.serverUnreachable, advice, cause });
      }
      throw new CliError('server-unreachable', `The server at ${this.url} does not answer.`, {
        exitCode: EXIT.serverUnreachable,
        advice: adviceFor(this.url, cause),
        cause: error,
      });
    }
    const value: unknown = await response.json().catch(() => undefined);
    if (response.ok) return value;
    throw refusal(response.status, value as ProblemDocument | undefined);
  }
}

function adviceFor(url: string, cause: unknown): string {
  const variable = proxyVariable(url, process.env);
  if (variable === undefined)
    return 'Is it running? bowline status shows the processes; npm start starts it.';
  const why = innermost(cause);
  return `It was asked through the proxy that ${variable} names${why === '' ? '' : `: ${why}`}`;
}

/** `fetch` wraps what the proxy said twice. */
const innermost = (error: unknown): string =>
  error instanceof Error ? innermost(error.cause) || error.message : '';

const rolloutPath = (id: string): string => `/v1/rollouts/${encodeURIComponent(id)}`;

function refusal(status: number, problem: ProblemDocument | undefined): CliError {
  const why = problem?.detail ?? problem?.title ?? 'no reason given';
  return new CliError(problem?.code ?? `http-${status}`, `The server refused (${status}): ${why}`, {
    exitCode: EXIT.serverRefused,
    advice:
      status === 401
        ? 'The operator token is not good (any more): check operatorTokenFile, or BOWLINE_TOKEN.'
        : '',
    details: { status },
  });
}

/**
 * @throws CliError `no-server` if it is not known where the server is or what its token is.
 */
export function operatorsApi(
  { serverUrl, operatorTokenFile }: Partial<Installation>,
  { server = serverUrl, token }: { server?: string | undefined; token?: string | undefined },
): OperatorsApi {
  const advice = 'Set BOWLINE_SERVER and BOWLINE_TOKEN, or serverUrl and operatorTokenFile in cli.json.';
  const missing = (sentence: string, cause?: unknown) =>
    new CliError('no-server', sentence, { exitCode: EXIT.noInstallation, advice, cause });
  if (server === undefined) throw missing('It is not known where the server is.');
  if (token !== undefined) return new OperatorsApi(server, token);
  if (operatorTokenFile === undefined) throw missing('No operator token is known.');
  try {
    return new OperatorsApi(server, readFileSync(operatorTokenFile, 'utf8').trim());
  } catch (error) {
    throw missing(`The operator token in ${operatorTokenFile} cannot be read.`, error);
  }
}

/** @throws CliError `unknown-device` with the id that was likely meant. */
export async function findDevice(api: OperatorsApi, deviceId: string): Promise<Device> {
  try {
    return await api.device(deviceId);
  } catch (error) {
    if (!(error instanceof CliError) || error.details['status'] !== 404) throw error;
    const known = (await api.devices()).map((device) => device.deviceId);
    const meant = suggest(deviceId, known);
    const some = known.slice(0, 10).join(', ') + (known.length > 10 ? ' …' : '');
    throw new CliError('unknown-device', `The server knows no device "${deviceId}".`, {
      exitCode: EXIT.usage,
      advice: `${meant === undefined ? '' : `Did you mean ${meant}? `}${known.length === 0 ? 'No device has enrolled yet.' : `Known: ${some}.`}`,
      cause: error,
    });
  }
}
