import { arch, platform } from 'node:os';
import { signEnrolmentProof, type SigningKey } from '@bowline/identity';
import { check, type EnrolmentDevice, type EnrolmentResponse, type ProblemDocument } from '@bowline/messages';
import { enrolmentResponse, problem } from '@bowline/messages/http';
import { bootId, type Logger } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import type { ProxySettings } from '@bowline/runtime/proxy';
import { NOT_ENCRYPTED } from '../connection/client.ts';
import { LinkError } from '../connection/link-error.ts';
import { retryAfterOf } from '../connection/retry-after.ts';
import type { TlsSettings } from '../connection/tls-settings.ts';
import { hashOfToken } from './enrolment-token-file.ts';
import type { Enrolment } from './enrolment-schema.ts';
import { postJson, type JsonAnswer } from './post-json.ts';
import { chooseRoot, proveRoot } from './root-of-trust.ts';
import type { SigningTime } from './signing-time.ts';

export interface EnrolmentWish {
  /** Origin to enrol at, e.g. https://fleet.example. */
  server: string;
  token: string | undefined;
  trustOnFirstUse: boolean;
}

export interface EnrolmentSurroundings {
  key: SigningKey;
  tls: TlsSettings;
  proxy?: ProxySettings | undefined;
  factoryRoot: string | undefined;
  allowInsecure: boolean;
  agentVersion: string;
  signingTime: SigningTime;
  log: Pick<Logger, 'warn'>;
}

const REQUEST_DEADLINE_MS = 20_000;
const RESPONSE_BYTES = 256 * 1024;

/**
 * Proves the token and registers the device's public key (protocol, section 7). Changes nothing on the device, and may be
 * repeated at any point: the same token and key again give the same answer.
 *
 * @throws LinkError stage `enrol`
 */
export async function enrol(wish: EnrolmentWish, around: EnrolmentSurroundings): Promise<Enrolment> {
  try {
    return await ask(wish, around);
  } catch (error) {
    if (!(error instanceof BowlineError) || error instanceof LinkError) throw error;
    throw enrolmentError(error.code, error.message, { cause: error });
  }
}

async function ask(
  { server, token, trustOnFirstUse }: EnrolmentWish,
  { key, tls, proxy, factoryRoot, allowInsecure, agentVersion, signingTime, log }: EnrolmentSurroundings,
): Promise<Enrolment> {
  if (!URL.canParse(server)) throw enrolmentError('bad-url', `${server} is not a URL`);
  const { origin, protocol } = new URL(server);
  if (!/^https?:$/.test(protocol)) throw enrolmentError('bad-url', `${server} is not https`);
  if (protocol === 'http:' && !allowInsecure) {
    throw enrolmentError(
      'insecure-url',
      `${origin} is not https: set link.allowInsecure only on a network that you trust`,
    );
  }
  if (protocol === 'http:') log.warn({ server: origin }, NOT_ENCRYPTED);
  const root = chooseRoot({ factoryRoot, token, trustOnFirstUse });
  const device = { os: platform(), arch: arch(), bootId: bootId(), agentVersion };
  const request = { token, key, origin, device, tls, proxy };
  let answer = await post(request, signingTime.nowMs());
  const problemOf401 = answer.status === 401 ? problemIn(answer) : undefined;
  if (problemOf401?.serverTime !== undefined) {
    signingTime.told(problemOf401.serverTime);
    answer = await post(request, signingTime.nowMs());
  }
  if (answer.status !== 201) throw refused(origin, answer);
  const response = check<EnrolmentResponse>(enrolmentResponse, answer.body, 'answer');
  const proven = await proveRoot(response.trust, root);
  return {
    ...response,
    made: {
      at: response.serverTime,
      server: origin,
      ...proven,
      keyThumbprint: key.thumbprint,
      ...(token === undefined ? {} : { tokenHash: hashOfToken(token) }),
    },
  };
}

async function post(
  request: {
    token: string | undefined;
    key: SigningKey;
    origin: string;
    device: EnrolmentDevice;
    tls: TlsSettings;
    proxy: ProxySettings | undefined;
  },
  nowMs: number,
): Promise<JsonAnswer> {
  const { token, key, origin, device, tls, proxy } = request;
  const claims = token === undefined ? { device, origin, nowMs } : { token, device, origin, nowMs };
  const proof = await signEnrolmentProof(key, claims);
  const body = { ...(token === undefined ? {} : { token }), publicKey: key.publicJwk, proof, device };
  const limits = { deadlineMs: REQUEST_DEADLINE_MS, maxBytes: RESPONSE_BYTES };
  try {
    return await postJson(new URL(`${origin}/v1/enrolments`), body, { tls, proxy, ...limits });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw enrolmentError('enrolment-unreachable', `cannot reach ${origin}: ${why}`, { cause });
  }
}

const problemIn = ({ body }: JsonAnswer): ProblemDocument | undefined =>
  problem(body) ? (body as ProblemDocument) : undefined;

function refused(origin: string, answer: JsonAnswer): LinkError {
  const { status, headers } = answer;
  const { code, detail, title } = problemIn(answer) ?? {};
  const retryAfterMs = retryAfterOf(headers['retry-after']);
  return enrolmentError(
    code ?? `http-${status}`,
    `${origin} refused the enrolment (${status}): ${detail ?? title ?? 'no reason given'}`,
    { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  );
}

export const enrolmentError = (
  code: string,
  message: string,
  facts: { status?: number; retryAfterMs?: number; cause?: unknown } = {},
) => new LinkError(code, message, { stage: 'enrol', ...facts });
