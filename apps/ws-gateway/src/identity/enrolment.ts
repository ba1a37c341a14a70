import { readFileSync, rmSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import {
  parseEnrolmentToken,
  signEnrolmentProof,
  verifyTrustBundle,
  type SigningKey,
} from '@bowline/identity';
import { check, type EnrolmentDevice, type EnrolmentResponse, type ProblemDocument } from '@bowline/messages';
import { enrolmentResponse, problem } from '@bowline/messages/http';
import { BowlineError, ConfigError, hasCode } from '@bowline/runtime/errors';
import { bootId, readFileIfPresent, writeFileDurably, type Logger } from '@bowline/runtime';
import { LinkError } from '../connection/client.ts';

/** What the device was told when it enrolled; kept in `enrolment.json`. */
export type Enrolment = EnrolmentResponse;

export interface EnrolmentOptions {
  stateDir: string;
  /** Origin to enrol at, e.g. https://fleet.example. */
  server?: string;
  /** File with the one-time token; erased once it is spent. */
  tokenFile?: string;
  allowInsecure: boolean;
  agentVersion: string;
}

const REQUEST_DEADLINE_MS = 20_000;
const RESPONSE_BYTES = 256 * 1024;

const enrolmentFile = (stateDir: string) => join(stateDir, 'enrolment.json');

/** @throws ConfigError `bad-enrolment` if the file is damaged: the operator restores it or enrols anew. */
export function loadEnrolment(stateDir: string): Enrolment | undefined {
  const file = enrolmentFile(stateDir);
  const text = readFileIfPresent(file);
  if (text === undefined) return undefined;
  try {
    return check<Enrolment>(enrolmentResponse, JSON.parse(text), 'enrolment');
  } catch (error) {
    throw new ConfigError('bad-enrolment', `${file} is damaged: remove it and give the device a new token`, {
      cause: error,
    });
  }
}

/**
 * Proves the token and registers the device's public key (protocol, section 7). May be repeated at any point: the same
 * token and key again give the same answer, and the token is erased only when the answer is on disk.
 *
 * @throws LinkError stage `enrol`
 */
export async function enrol(
  options: EnrolmentOptions,
  key: SigningKey,
  log: Logger,
  nowMs: number,
): Promise<Enrolment> {
  const { server } = options;
  if (server === undefined) {
    throw enrolmentError(
      'not-enrolled',
      'the device is not enrolled: set enrolment.server and enrolment.tokenFile',
    );
  }
  if (!URL.canParse(server)) throw enrolmentError('bad-url', `enrolment.server: ${server} is not a URL`);
  const { origin, protocol } = new URL(server);
  if (protocol !== 'https:' && !options.allowInsecure) {
    throw enrolmentError(
      'insecure-url',
      `${origin} is not https: set link.allowInsecure only on a network that you trust`,
    );
  }
  const token = readToken(options.tokenFile);
  const { rootThumbprint } = parseEnrolmentToken(token);
  const request = { token, key, origin, agentVersion: options.agentVersion };
  let answer = await post({ ...request, nowMs });
  if (answer.status === 401 && answer.problem?.serverTime !== undefined) {
    answer = await post({ ...request, nowMs: answer.problem.serverTime }); // no clock: sign once more with the server's
  }
  if (answer.body === undefined) {
    const why = answer.problem?.detail ?? answer.problem?.title ?? 'no reason given';
    throw enrolmentError(
      answer.problem?.code ?? `http-${answer.status}`,
      `${origin} refused the enrolment (${answer.status}): ${why}`,
    );
  }
  await verifyTrustBundle(answer.body.trust, { rootThumbprint });
  writeFileDurably(enrolmentFile(options.stateDir), JSON.stringify(answer.body, null, 2));
  if (options.tokenFile !== undefined) rmSync(options.tokenFile, { force: true });
  log.info({ deviceId: answer.body.deviceId, serverId: answer.body.serverId }, 'enrolled');
  return answer.body;
}

function readToken(tokenFile: string | undefined): string {
  try {
    if (tokenFile !== undefined) return readFileSync(tokenFile, 'utf8').trim();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  throw enrolmentError(
    'not-enrolled',
    `the device is not enrolled: put a token into ${tokenFile ?? 'enrolment.tokenFile'}`,
  );
}

interface Answer {
  status: number;
  body?: EnrolmentResponse;
  problem?: ProblemDocument;
}

async function post(input: {
  token: string;
  key: SigningKey;
  origin: string;
  agentVersion: string;
  nowMs: number;
}): Promise<Answer> {
  const { token, key, origin, nowMs } = input;
  const device: EnrolmentDevice = {
    os: platform(),
    arch: arch(),
    bootId: bootId(),
    agentVersion: input.agentVersion,
  };
  const proof = await signEnrolmentProof(key, { token, device, origin, nowMs });
  try {
    const response = await fetch(`${origin}/v1/enrolments`, {
      method: 'POST',
      redirect: 'error',
      headers: { 'content-type': 'application/json', accept: 'application/json, application/problem+json' },
      body: JSON.stringify({ token, publicKey: key.publicJwk, proof, device }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    const { status } = response;
    const value: unknown = JSON.parse(await textOf(response));
    if (status === 201) return { status, body: check<EnrolmentResponse>(enrolmentResponse, value, 'answer') };
    return { status, ...(problem(value) ? { problem: value as ProblemDocument } : {}) };
  } catch (cause) {
    if (cause instanceof BowlineError) throw enrolmentError(cause.code, cause.message, cause);
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw enrolmentError('enrolment-unreachable', `cannot reach ${origin}: ${why}`, cause);
  }
}

/** The body, as long as it is not larger than any answer may be: an endless one must not fill the memory. */
async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > RESPONSE_BYTES)
      throw new Error('', { cause: new Error(`an answer of more than ${RESPONSE_BYTES} bytes`) });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const enrolmentError = (code: string, message: string, cause?: unknown) =>
  new LinkError(code, message, { stage: 'enrol', cause });
